//go:build unix

package pgtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// MinVersion is the oldest major version of PostgreSQL that tests run on.
const MinVersion = 15

// errMissing is what a test fails with where there is no PostgreSQL.
var errMissing = fmt.Errorf("missing: PostgreSQL %d or later (initdb and postgres in PATH or /usr/lib/postgresql/*/bin); scripts/postgres installs it", MinVersion)

// programs returns the paths of initdb and postgres, of one installation.
func programs() (initdb, postgres string, err error) {
	var dirs []string
	if found, err := exec.LookPath("initdb"); err == nil {
		if found, err = filepath.EvalSymlinks(found); err == nil {
			dirs = append(dirs, filepath.Dir(found))
		}
	}
	installed, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.Sort(installed)
	slices.Reverse(installed)
	for _, dir := range append(dirs, installed...) {
		initdb, postgres = filepath.Join(dir, "initdb"), filepath.Join(dir, "postgres")
		if version(initdb) >= MinVersion && version(postgres) >= MinVersion {
			return initdb, postgres, nil
		}
	}
	return "", "", errMissing
}

// version returns the major version of a program, zero if it does not run.
func version(program string) int {
	out, err := exec.Command(program, "--version").Output()
	if err != nil {
		return 0
	}
	for _, word := range strings.Fields(string(out)) {
		major, _, _ := strings.Cut(word, ".")
		if n, err := strconv.Atoi(major); err == nil {
			return n
		}
	}
	return 0
}

// account is the user that a server runs as where the test runs as root; nil elsewhere.
func account() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(uidErr, gidErr); err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as")
}
