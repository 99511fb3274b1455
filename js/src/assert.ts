/** Throws unless `condition` holds: for what only a defect of this package can break. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`@ankurah-go/client: ${message}`);
}

/** Returns `value`, which only a defect of this package can leave undefined. */
export function must<T>(value: T | undefined, message: string): T {
  assert(value !== undefined, message);
  return value;
}

/** Marks what the types say cannot be reached. */
export function unreachable(value: never): never {
  throw new Error(`@ankurah-go/client: unexpected ${String(value)}`);
}

/**
 * Calls application code that must not disturb what follows. What it throws is reported as the
 * browser reports any uncaught error.
 */
export function callOut(callback: () => void): void {
  try {
    callback();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
