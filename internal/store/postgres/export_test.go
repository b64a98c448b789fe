package postgres

// Statements gives the texts of the statements that were sent since Forget, with
// "@." in the place of the schema.
func (s *Store) Statements() (texts []string) {
	s.texts.Range(func(text, _ any) bool {
		texts = append(texts, text.(string))
		return true
	})
	return texts
}

// Forget forgets which statements were sent.
func (s *Store) Forget() { s.texts.Clear() }
