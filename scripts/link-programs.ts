// Makes `npx cloud-tasks` work inside this checkout, straight from source: npm links only the programs of other packages.
import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { join, relative } from 'node:path'

const root = join(import.meta.dirname, '..')
const folder = join(root, 'node_modules/.bin')
const manifest: { bin: Record<string, string> } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

mkdirSync(folder, { recursive: true })
for (const [name, built] of Object.entries(manifest.bin)) {
  const source = join(root, built.replace(/^dist\//, '').replace(/\.js$/, '.ts'))
  const link = join(folder, name)
  rmSync(link, { force: true })
  symlinkSync(relative(folder, source), link)
  chmodSync(source, 0o755) // as npm does with the programs that it links
}
