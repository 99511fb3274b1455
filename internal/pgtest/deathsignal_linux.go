package pgtest

import "syscall"

// endWithParent has the kernel end a process when the one that started it ends.
func endWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGQUIT }
