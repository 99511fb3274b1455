import { ClientError } from '@ankurah-go/client';

/** Returns what `attempt` returns, or, if the client refuses it, what `explain` makes of the refusal. */
export function unlessRefused<T>(attempt: () => T, explain: (refusal: ClientError) => T): T {
  try {
    return attempt();
  } catch (error) {
    if (error instanceof ClientError) return explain(error);
    throw error;
  }
}
