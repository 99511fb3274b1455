// Package config reads the durable server's settings from flags and environment.
//
// Every setting has a flag (--max-frame) and a variable (ANKURAH_MAX_FRAME); the flag
// wins. [Parse] checks what can be known without touching the machine, so that a server
// that starts has only settings that make sense.
//
// # Errors
//
// An *[Error] names the setting as the user gave it, what is wrong, and what would be
// right, on one line. [ErrHelp] and [ErrVersion] say that the user asked for text
// instead of a server.
package config
