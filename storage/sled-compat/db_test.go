package sledcompat

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
)

func wantLocked(t *testing.T, dir string) {
	t.Helper()
	_, err := Open(dir)
	if !errors.Is(err, ErrLocked) {
		t.Fatalf("open: %v, want ErrLocked", err)
	}
	if !strings.Contains(err.Error(), filepath.Base(dir)) {
		t.Fatalf("%q does not name the directory", err)
	}
}

func TestADirectoryIsOpenOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "data")
	e := open(t, dir)
	wantLocked(t, dir)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	_, err := Open(link)
	if !errors.Is(err, ErrLocked) {
		t.Fatalf("by another name: %v, want ErrLocked", err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := open(t, link).Close(); err != nil {
		t.Fatal(err)
	}
}

func TestADirectoryIsOpenInOneProcess(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleVar+"=hold", dirVar+"="+dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "open\n" {
		t.Fatalf("the holder says %q, %v", line, err)
	}
	wantLocked(t, dir)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	if err := open(t, dir).Close(); err != nil {
		t.Fatalf("after the holder's death: %v", err)
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		if _, err := Open(dir); err == nil || errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), dir) {
			t.Errorf("open %s: %v", dir, err)
		}
	}
}

// What opening did not manage to open is released.
func TestNewerLayoutIsRefusedAndReleased(t *testing.T) {
	dir := t.TempDir()
	tree := openTree(t, dir, engineTree)
	if err := tree.Insert([]byte("v"), []byte{kv.Version + 1}); err != nil {
		t.Fatal(err)
	}
	if err := tree.db.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := Open(dir); !errors.Is(err, kv.ErrNewer) {
			t.Fatalf("open: %v, want ErrNewer", err)
		}
	}
}

func TestTreesAreApart(t *testing.T) {
	dir := t.TempDir()
	names := []string{"a", "b", "aa", "\x00", strings.Repeat("\xff", MaxTreeName)}
	db, err := OpenDB(dir)
	if err != nil {
		t.Fatal(err)
	}
	trees := map[string]*Tree{}
	for _, name := range names {
		if trees[name], err = db.Tree(name); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"", "a", "\xff\xff"} {
			if err := trees[name].Insert([]byte(key), []byte(name+key)); err != nil {
				t.Fatal(err)
			}
		}
	}
	got, err := db.TreeNames()
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	if slices.Sort(got); !slices.Equal(got, names) {
		t.Errorf("trees %q, want %q", got, names)
	}
	for name, tree := range trees {
		var keys []string
		err := tree.Range(kv.Range{}, func(key, value []byte) bool {
			keys = append(keys, string(key))
			if string(value) != name+string(key) {
				t.Errorf("tree %q: key %q has value %q", name, key, value)
			}
			return true
		})
		if err != nil || !slices.Equal(keys, []string{"", "a", "\xff\xff"}) {
			t.Errorf("tree %q has keys %q, %v", name, keys, err)
		}
	}
	for _, name := range []string{"", strings.Repeat("x", MaxTreeName+1)} {
		if _, err := db.Tree(name); err == nil {
			t.Errorf("a tree may be called %q", name)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTreeWords(t *testing.T) {
	tree := openTree(t, t.TempDir(), "t")
	defer tree.db.Close()
	want := func(key, value string) {
		t.Helper()
		got, err := tree.Get([]byte(key))
		if err != nil || string(got) != value || (got == nil) != (value == "") {
			t.Fatalf("%q is %q, %v, want %q", key, got, err, value)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(tree.Insert([]byte("a"), []byte("1")))
	want("a", "1")
	must(tree.CompareAndSwap([]byte("a"), []byte("1"), []byte("2")))
	must(tree.CompareAndSwap([]byte("b"), nil, []byte("1")))
	if err := tree.CompareAndSwap([]byte("a"), nil, []byte("3")); !errors.Is(err, storage.ErrConflict) {
		t.Fatalf("swap: %v", err)
	}
	want("a", "2")
	must(tree.CompareAndSwap([]byte("b"), []byte("1"), nil))
	want("b", "")
	must(tree.Remove([]byte("a")))
	must(tree.Remove([]byte("a")))
	want("a", "")
	must(tree.Apply(&Batch{}))
	if tree.Name() != "t" {
		t.Errorf("the tree is called %q", tree.Name())
	}
}

func TestLogIsRouted(t *testing.T) {
	var mu sync.Mutex
	var messages []string
	e := open(t, t.TempDir(), WithLog(func(message string) {
		mu.Lock()
		defer mu.Unlock()
		messages = append(messages, message)
	}), WithCache(1<<20))
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(messages) == 0 {
		t.Error("the database says nothing")
	}
}
