package slot

// Bodies counts the bodies of other sessions that are known.
func (k *Kept) Bodies() (n int) {
	for _, of := range k.owners {
		n += len(of)
	}
	return n
}
