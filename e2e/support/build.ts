import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';

/** The programs that the tests start. */
export interface Built {
  /** The durable server. */
  readonly server: string;
  /** The server of examples/policy, which refuses albums named "forbidden". */
  readonly policyServer: string;
  /** The program that adds albums. */
  readonly seed: string;
  /** The example app. */
  readonly app: string;
}

declare module 'vitest' {
  export interface ProvidedContext {
    built: Built;
  }
}

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Builds the servers, afresh; the app and the packages must have been built (`make build`). */
export default function setup(project: TestProject): () => void {
  const app = join(root, 'examples/react-app/dist');
  if (!existsSync(join(app, 'index.html'))) throw new Error(`${app} is missing: run make build first`);
  const folder = mkdtempSync(join(tmpdir(), 'ankurah-e2e-'));
  const build = (program: string): string => {
    const binary = join(folder, program.replaceAll('/', '-'));
    execFileSync('go', ['build', '-o', binary, `./${program}`], { cwd: root, stdio: 'inherit' });
    return binary;
  };
  project.provide('built', {
    server: build('server'),
    policyServer: build('examples/policy'),
    seed: build('examples/seed'),
    app,
  });
  return () => rmSync(folder, { recursive: true, force: true });
}
