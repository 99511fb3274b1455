package bridge

import "time"

// Limits bound what a page can make a node keep. The zero value of each is its default.
type Limits struct {
	// Inbox bounds the bytes of a page's frames that wait to be read: 64 MiB. A page that
	// sends more is cut off.
	Inbox int
	// Requests bounds the requests of a page that are under way: 16,384. More are refused.
	Requests int
	// Transactions bounds the open transactions of a page: 4,096. More are refused.
	Transactions int
	// Operations bounds the messages that wait in one transaction: 32,768. A transaction
	// with more is refused.
	Operations int
	// Queries bounds the live queries of a page: 4,096. More are refused.
	Queries int
	// Rooms bounds the rooms that a page is in or looks at: 256. More are refused.
	Rooms int
	// Changes bounds the rows of change sets that wait to be sent to a page: 16,384. Beyond
	// it they are dropped, and the page gets the present rows later.
	Changes int
	// Window bounds the bytes on their way to a page, which it has not taken in: 1 MiB.
	Window int
	// PartRows and PartBytes bound one message of rows, and about one frame: 500 rows and
	// 128 KiB. The page decodes it in one task.
	PartRows, PartBytes int
	// Ready bounds how long a transaction waits until there is a system: 10 s.
	Ready time.Duration
}

func (l *Limits) ensureDefaults() {
	set(&l.Inbox, 64<<20)
	set(&l.Requests, 16_384)
	set(&l.Transactions, 4096)
	set(&l.Operations, 32_768)
	set(&l.Queries, 4096)
	set(&l.Rooms, 256)
	set(&l.Changes, 16_384)
	set(&l.Window, 1<<20)
	set(&l.PartRows, 500)
	set(&l.PartBytes, 128<<10)
	set(&l.Ready, 10*time.Second)
}

func set[T int | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}
