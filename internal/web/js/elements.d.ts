// Elements that the islands make.
interface HTMLElementTagNameMap {
  "json-tree": HTMLElement;
}
