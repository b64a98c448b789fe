package cli

import (
	"net"
	"os"
	"strings"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// shortestSecret is how long the secret in a token file must be.
const shortestSecret = 16

// options gives those of the handler, or says why the server does not begin so.
func (s *serving) options() ([]runnel.HandlerOption, error) {
	if (s.cert == "") != (s.key == "") {
		return nil, usagef("--tls-cert and --tls-key go together")
	}
	for _, file := range []string{s.cert, s.key} {
		if file == "" {
			continue
		}
		if _, err := os.Stat(file); err != nil {
			return nil, api.Errorf(api.ErrNotFound, "", "%w", err)
		}
	}
	if err := s.admits(); err != nil {
		return nil, err
	}
	if s.prefix = strings.TrimRight(s.prefix, "/"); s.prefix != "" && (!strings.HasPrefix(s.prefix, "/") || strings.ContainsAny(s.prefix, "{} ?#%")) {
		return nil, usagef("--prefix %s: want a path such as /runnel", s.prefix)
	}
	var options []runnel.HandlerOption
	if s.noPages {
		options = append(options, runnel.NoPages())
	}
	if s.readOnly {
		options = append(options, runnel.ReadOnly())
	}
	if !s.asks() {
		return options, nil
	}
	secret, err := s.secret()
	return append(options, runnel.RequireToken(secret)), err
}

// asks reports whether who comes must show a token.
func (s *serving) asks() bool { return s.tokens || s.tokenFile != "" }

// secret is what the token file has.
func (s *serving) secret() (string, error) {
	if s.tokenFile == "" {
		return "", nil
	}
	text, err := os.ReadFile(s.tokenFile)
	if err != nil {
		return "", api.Errorf(api.ErrNotFound, "", "--token-file: %w", err)
	}
	secret := strings.TrimSpace(string(text))
	if len(secret) < shortestSecret {
		return "", usagef("--token-file %s: the secret has %d characters, want %d or more", s.tokenFile, len(secret), shortestSecret)
	}
	return secret, nil
}

// admits refuses to serve other machines without asking, or in the clear.
func (s *serving) admits() error {
	host, _, err := net.SplitHostPort(s.listen)
	if err != nil {
		return usagef("--listen %s: want HOST:PORT", s.listen)
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	switch {
	case !s.asks():
		return hinted(usagef("--listen %s can be reached from other machines, and this server would not ask anybody who they are", s.listen),
			"--require-token lets in only who shows a token: runnel token create NAME")
	case s.cert == "" && !s.proxied:
		return hinted(usagef("--listen %s can be reached from other machines, and tokens would go there in the clear", s.listen),
			"--tls-cert and --tls-key, or --behind-proxy if a proxy before this server speaks TLS")
	}
	return nil
}
