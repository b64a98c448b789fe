package postgres

import "strings"

// Statements gives the texts of the statements that were sent since Forget, with
// "@." in the place of the schema, and no lanes.
func (s *Store) Statements() (texts []string) {
	s.texts.Range(func(text, _ any) bool {
		switch text := text.(type) {
		case laned:
			texts = append(texts, strings.ReplaceAll(text.text, "#", ""))
		case string:
			texts = append(texts, text)
		default: // what a text that was sent was made of
		}
		return true
	})
	return texts
}

// Forget forgets which statements were sent.
func (s *Store) Forget() { s.texts.Clear() }

// Drop lets go of the run numbers that were taken ahead, as time does.
func (s *Store) Drop() { s.numbers.drop() }
