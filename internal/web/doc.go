// Package web serves the pages: what a person looks at in a browser.
//
// A page knows the REST API only. It asks the handler of internal/httpapi in memory,
// with the credentials of who looks at it, and makes HTML of the answers; so roles,
// read-only servers, the audit and engines elsewhere are as with any other client
// (decision 0021). Pages work without JavaScript: each state is in the URL, each
// action is a form. static/live.js hears what changes, fetches the page again and
// morphs what differs into place.
//
// All links are relative, made of how deep the page's path is, so that the handler
// works under any prefix, whether http.StripPrefix or a proxy takes it away.
package web
