package sledcompat

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/ankurah-go/ankurah/internal/leaktest"
	"github.com/ankurah-go/ankurah/storage/storagetest"
)

// The tests that need another process run this binary again, with what it is to do and
// the directory in the environment.
const (
	roleVar = "SLEDCOMPAT_TEST_ROLE"
	dirVar  = "SLEDCOMPAT_TEST_DIR"
)

func TestMain(m *testing.M) {
	switch role := os.Getenv(roleVar); role {
	case "":
		leaktest.Main(m)
	case "write":
		fail(writeUntilKilled(os.Getenv(dirVar)))
	case "hold":
		fail(holdUntilKilled(os.Getenv(dirVar)))
	default:
		fail(fmt.Errorf("unknown role %q", role))
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func writeUntilKilled(dir string) error {
	e, err := Open(dir)
	if err != nil {
		return err
	}
	return storagetest.WriteUntilKilled(context.Background(), e, os.Stdout)
}

// holdUntilKilled opens the directory, says so, and waits for its standard input to end.
func holdUntilKilled(dir string) error {
	if _, err := Open(dir); err != nil {
		return err
	}
	fmt.Println("open")
	_, err := os.Stdin.Read(make([]byte, 1))
	return err
}
