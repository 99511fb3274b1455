import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

const here = fileURLToPath(new URL('..', import.meta.url));
const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');

/** The blocks of TypeScript in the comments of a file, each under the line where it begins. */
function snippetsOf(file: string): readonly { readonly line: number; readonly code: string }[] {
  const text = readFileSync(file, 'utf8');
  return [...text.matchAll(/^ *\* ```ts\n(.*?)^ *\* ```$/gms)].map(match => ({
    line: text.slice(0, match.index).split('\n').length + 1,
    code: (match[1] ?? '').replaceAll(/^ *\* ?/gm, ''),
  }));
}

test('every example in the comments compiles', () => {
  mkdirSync(join(here, 'node_modules', '.cache'), { recursive: true });
  const scratch = mkdtempSync(join(here, 'node_modules', '.cache', 'snippets-'));
  try {
    let count = 0;
    for (const name of readdirSync(join(here, 'src'))) {
      for (const { line, code } of snippetsOf(join(here, 'src', name))) {
        count++;
        writeFileSync(join(scratch, `${name.replace('.ts', '')}-${line}.ts`), `${code}\nexport {}\n`);
      }
    }
    writeFileSync(
      join(scratch, 'tsconfig.json'),
      JSON.stringify({
        extends: join(here, 'tsconfig.json'),
        compilerOptions: {
          noUnusedLocals: false,
          isolatedDeclarations: false,
          declaration: false,
          paths: { '@ankurah-go/client': [join(here, 'src/mod.ts')], '@ankurah-go/client/presence': [join(here, 'src/presence.ts')] },
          typeRoots: [join(here, 'node_modules/@types')],
        },
        include: ['*.ts'],
      }),
    );
    let output = '';
    try {
      execFileSync(process.execPath, [tsc, '-p', scratch, '--pretty', 'false'], { encoding: 'utf8' });
    } catch (error) {
      output = (error as { stdout: string }).stdout;
    }
    expect(output).toBe('');
    expect(count).toBeGreaterThan(5);
  } finally {
    rmSync(scratch, { recursive: true });
  }
});
