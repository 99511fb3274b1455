export {
  aggregateKey,
  avg,
  count,
  countDistinct,
  max,
  min,
  sum,
  type Aggregate,
  type AggregateFunction,
  type AggregateOf,
  type AggregatePath,
  type AggregateQuery,
  type AggregateRow,
  type AggregateSelect,
  type AnyAggregateQuery,
  type NumberPath,
} from './aggregate.ts';
export { and, Condition, not, or, type BoundParams, type OptionalCondition } from './condition.ts';
export { createClient } from './create-client.ts';
export type {
  CallOptions,
  Client,
  ClientOptions,
  ClientStatus,
  Editor,
  QueryOptions,
  Receipt,
  Rejection,
  TransactOptions,
  Transaction,
} from './client.ts';
export { ClientError, type ClientErrorOptions, type ErrorCode, type SelectionPosition } from './errors.ts';
export type { EventId, HistoryOptions, HistoryPage, Moment, RejectedChange, Revision, ValueChange } from './history.ts';
export type {
  Live,
  LiveEntity,
  LiveResult,
  LiveSnapshot,
  LiveStatus,
  ParamValue,
  Params,
} from './live.ts';
export type {
  AnyField,
  Field,
  Fields,
  JsonField,
  NullIsAskedForWithIsNull,
  OpenPath,
  ReferenceField,
  TextField,
} from './field.ts';
export type { LiveWindow, WindowAnchor, WindowRange, WindowSnapshot, WindowState } from './live-window.ts';
export { Query, type OrderKey, type Ordering, type Selection, type SelectionArguments } from './query.ts';
export { queryKey } from './selection-key.ts';
export type { Explanation } from './explanation.ts';
export {
  defineModel,
  f,
  type AnyModel,
  type AnyProperty,
  type CreateInput,
  type EntityId,
  type IndexColumn,
  type Infer,
  type JsonValue,
  type Model,
  type ModelIndex,
  type ModelOptions,
  type Presence,
  type Properties,
  type Property,
  type PropertyBuilders,
  type PropertyKind,
  type PropertyPath,
  type PropertyShape,
  type PropertyType,
  type SetInput,
  type SyncState,
} from './model.ts';
