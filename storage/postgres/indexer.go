package postgres

import (
	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/storage/relational"
)

type indexer struct{}

func (x *indexer) init(e *Engine)                                                 {}
func (x *indexer) stop()                                                          {}
func (x *indexer) consider(t *relational.Table, s *ankql.Selection, returned int) {}
