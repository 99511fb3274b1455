// Go's own glue (lib/wasm/wasm_exec.js of the toolchain), which the build copies to
// dist/wasm-exec.js and gives this export.

/** One run of a Go program. */
export class Go {
  /** The program's arguments; the first is its name. */
  argv: string[];
  /** What the program imports. */
  readonly importObject: WebAssembly.Imports;
  /** Called with the status when the program ends. */
  exit: (status: number) => void;
  /** Calls back into the program; throws once it has ended. */
  _resume: () => void;
  /** The timers that the program waits for. */
  readonly _scheduledTimeouts: ReadonlyMap<number, ReturnType<typeof setTimeout>>;
  /** Runs the program until it ends. */
  run(instance: WebAssembly.Instance): Promise<void>;
}
