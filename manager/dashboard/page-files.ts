// The page as the browser gets it: HTML, styles, its modules as JavaScript, and the charting library, all from this machine.
import { existsSync, readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface PageFile {
  readonly body: string
  readonly contentType: string
}

const PAGE = join(import.meta.dirname, 'page')
const UPLOT = ['uPlot.iife.min.js', 'uPlot.esm.js', 'uPlot.min.css']
const NAME = /^[\w-]+(\.[\w-]+)*$/ // no folder, nothing hidden
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** A file of the page by its name alone; undefined if there is none. */
export function readPageFile(name: string): PageFile | undefined {
  const contentType = TYPES[extname(name)]
  if (contentType === undefined || !NAME.test(name)) return undefined
  const body = UPLOT.includes(name) ? readUplot(name) : readOwn(name)
  return body === undefined ? undefined : { body, contentType }
}

function readUplot(name: string): string {
  return readFileSync(join(dirname(fileURLToPath(import.meta.resolve('uplot'))), name), 'utf8')
}

/** Compiled, modules lie there as JavaScript; in the repository they are TypeScript, whose types are taken out here. */
function readOwn(name: string): string | undefined {
  const file = join(PAGE, name)
  if (existsSync(file)) return readFileSync(file, 'utf8')
  const source = file.replace(/\.js$/, '.ts')
  if (source === file || !existsSync(source)) return undefined
  return stripTypeScriptTypes(readFileSync(source, 'utf8')).replaceAll(/(\bfrom\s*['"]\.[^'"]*)\.ts(['"])/g, '$1.js$2')
}
