// Compiles the TypeScript in the pages: each ts or tsx block as a module of its own, in
// the example app's project, against the packages as they were built.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const project = 'examples/react-app'
const scratch = join(project, '.docs')
const pages = ['README.md', 'js/README.md', 'react/README.md', ...readdirSync('docs').map(name => join('docs', name))]

const origin = new Map() // by file: where its block is
rmSync(scratch, { recursive: true, force: true })
mkdirSync(scratch)
for (const page of pages) {
  const text = existsSync(page) ? readFileSync(page, 'utf8') : ''
  for (const match of text.matchAll(/^```(tsx?)\n(.*?)^```/gms)) {
    const line = text.slice(0, match.index).split('\n').length + 1
    const name = `${page.replaceAll(/[^a-z]/gi, '-')}-${line}.${match[1]}`
    origin.set(name, { page, line })
    writeFileSync(join(scratch, name), `${match[2]}\nexport {}\n`)
  }
}
writeFileSync(join(scratch, 'tsconfig.json'), JSON.stringify({
  extends: '../tsconfig.json',
  compilerOptions: { noEmit: true, noUnusedLocals: false, noUnusedParameters: false, isolatedDeclarations: false },
  include: [],
  files: [...origin.keys()],
}))

const tsc = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', scratch, '--pretty', 'false'], { encoding: 'utf8' })
rmSync(scratch, { recursive: true })
const output = (tsc.stdout + tsc.stderr).replaceAll(/^\S*\.docs\/([\w-]+\.tsx?)\((\d+),(\d+)\)/gm, (whole, name, row, column) => {
  const from = origin.get(name)
  return from ? `${from.page}:${from.line + Number(row) - 1}:${column}` : whole
})
process.stdout.write(output)
console.log(`${origin.size} blocks of TypeScript in ${pages.length} pages`)
process.exit(tsc.status === 0 && origin.size > 0 ? 0 : 1)
