package sqlite

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/runnel-dev/runnel/api"
)

// lockFailed is the error of a lock file that can't be made.
func lockFailed(path string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return api.Errorf(api.ErrStore, path, "directory %s is read-only for this user, and files have to be made beside the database; "+
			"change the permissions, or choose another path: %w", filepath.Dir(path), err)
	}
	return api.Errorf(api.ErrStore, path, "no lock file can be made beside the database; "+
		"the disk may be read-only or full: %w", err)
}

// inUse is the error of a file that another engine has open.
func inUse(path, owner string) error {
	if owner == "" {
		owner = "of unknown pid"
	}
	return api.Errorf(api.ErrStore, path, "is in use by another engine (%s); close that one, or choose another path", owner)
}
