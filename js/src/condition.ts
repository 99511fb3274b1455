import type { ParamValue } from './live.ts';

/** What a built selection binds, by position. */
export type BoundParams = readonly (ParamValue | readonly ParamValue[])[];

/** A condition, or what `&&` leaves where there is none to add: such a term is left out. */
export type OptionalCondition = Condition | false | null | undefined | '' | 0;

/** How tightly a condition holds together, from the least; what holds less is put in parentheses. */
const level = { or: 0, and: 1, not: 2, test: 3 } as const;

type Level = (typeof level)[keyof typeof level];

/**
 * A predicate that code put together: AnkQL and what is bound to it. Made by the methods of fields
 * and by {@link and}, {@link or} and {@link not}; immutable.
 */
export class Condition {
  /** The predicate in AnkQL, with a `?` for every value. */
  readonly text: string;
  /** The values, in the order of the `?`. */
  readonly params: BoundParams;
  /** @internal */
  readonly level: Level;

  /** @internal */
  constructor(text: string, params: BoundParams, holds: Level = level.test) {
    this.text = text;
    this.params = Object.freeze(params);
    this.level = holds;
    Object.freeze(this);
  }

  /** True where this condition and all the others are. */
  and(...others: readonly OptionalCondition[]): Condition {
    return and(this, ...others);
  }

  /** True where this condition or one of the others is. */
  or(...others: readonly OptionalCondition[]): Condition {
    return or(this, ...others);
  }

  /** True where this condition is false; where it is unknown, as with NULL, its negation is too. */
  not(): Condition {
    return new Condition(`NOT ${within(this, level.not)}`, this.params, level.not);
  }
}

function within({ text, level: holds }: Condition, around: Level): string {
  return holds < around ? `(${text})` : text;
}

/** The condition that selects everything; it is not written where it stands alone. */
export const everything: Condition = new Condition('TRUE', []);
const nothing = new Condition('FALSE', []);

/**
 * True where all of the conditions are; everything, if there are none. A term may be false, null or
 * undefined, and is then left out:
 *
 * ```ts
 * import { and, defineModel, f } from '@ankurah-go/client'
 *
 * const Album = defineModel('album', { name: f.text(), year: f.int() })
 * const find = (words: string, since?: number) =>
 *   Album.where(a => and(words && a.name.ilike(`%${words}%`), since !== undefined && a.year.ge(since)))
 * ```
 */
export function and(...conditions: readonly OptionalCondition[]): Condition {
  return join(conditions, ' AND ', level.and, everything);
}

/** True where one of the conditions is; nothing, if there are none. Terms are as in {@link and}. */
export function or(...conditions: readonly OptionalCondition[]): Condition {
  return join(conditions, ' OR ', level.or, nothing);
}

/** True where the condition is false; where it is unknown, as with NULL, its negation is too. */
export function not(condition: Condition): Condition {
  return condition.not();
}

function join(conditions: readonly OptionalCondition[], word: string, holds: Level, none: Condition): Condition {
  const terms = conditions.filter(term => term instanceof Condition);
  const [only = none] = terms;
  if (terms.length < 2) return only;
  const text = terms.map(term => within(term, holds)).join(word);
  return new Condition(text, terms.flatMap(term => term.params), holds);
}
