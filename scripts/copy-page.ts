// Part of `npm run build`: lays what the compiler does not make of the dashboard's page, its HTML and CSS, beside the rest.
import { copyFileSync, globSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'

const PAGE = 'manager/dashboard/page'
const root = join(import.meta.dirname, '..')
const target = join(root, 'dist', PAGE)

mkdirSync(target, { recursive: true })
for (const name of globSync('*.{html,css,svg}', { cwd: join(root, PAGE) })) {
  copyFileSync(join(root, PAGE, name), join(target, name))
}
