package tikv

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/pingcap/log"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// clientLog is where the client library's messages go.
var clientLog struct {
	once sync.Once
	to   atomic.Pointer[slog.Logger] // nil drops them
}

// routeLog sends the client library's messages to a logger, or nowhere if it is nil. Left
// alone, the library writes to the standard output.
func routeLog(to *slog.Logger) {
	clientLog.to.Store(to)
	clientLog.once.Do(func() {
		level := zap.NewAtomicLevelAt(zapcore.WarnLevel)
		core := logCore{LevelEnabler: level}
		log.ReplaceGlobals(zap.New(core), &log.ZapProperties{Core: core, Level: level})
	})
}

// logCore is a zap core that hands messages to slog.
type logCore struct {
	zapcore.LevelEnabler
	fields []zapcore.Field
}

func (c logCore) With(fields []zapcore.Field) zapcore.Core {
	c.fields = append(c.fields[:len(c.fields):len(c.fields)], fields...)
	return c
}

func (c logCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if clientLog.to.Load() == nil || !c.Enabled(entry.Level) {
		return checked
	}
	return checked.AddCore(entry, c)
}

func (c logCore) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	to := clientLog.to.Load()
	if to == nil {
		return nil
	}
	level := slog.LevelWarn
	if entry.Level >= zapcore.ErrorLevel {
		level = slog.LevelError
	}
	encoder := zapcore.NewMapObjectEncoder()
	for _, f := range append(c.fields[:len(c.fields):len(c.fields)], fields...) {
		f.AddTo(encoder)
	}
	attrs := make([]slog.Attr, 0, len(encoder.Fields))
	for name, value := range encoder.Fields {
		attrs = append(attrs, slog.Any(name, value))
	}
	to.LogAttrs(context.Background(), level, "tikv client: "+entry.Message, attrs...)
	return nil
}

func (c logCore) Sync() error { return nil }
