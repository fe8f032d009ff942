// Joins the page's modules into one script, for a file that has no server to import from. Knows only the forms of import and
// export that the page uses, and refuses any other.
import { posix } from 'node:path'

/** `read` gives a module's JavaScript by its file name, such as `main.js`. */
export function joinModules(entry: string, read: (name: string) => string): string {
  const written = new Set<string>()
  const underWay: string[] = []
  const parts: string[] = []
  const add = (name: string) => {
    if (written.has(name)) return
    if (underWay.includes(name)) throw new Error(`The page's modules import in a circle: ${underWay.join(', ')}.`)
    underWay.push(name)
    const { body, imports } = joinable(name, read(name))
    for (const imported of imports) add(imported)
    underWay.pop()
    written.add(name)
    parts.push(body)
  }
  add(entry)
  return `(() => {\n'use strict'\nconst modules = {}\n${parts.join('\n')}\n})()\n`
}

const IMPORT = /^import\s*\{([^}]*)\}\s*from\s*['"]\.\/([^'"]+)['"];?[^\S\n]*$/gm
const EXPORT = /^export ((?:async )?function\*?|class|const) (\w+)/gm
const OTHER = /^(import|export)\b.*/m

function joinable(name: string, source: string): { body: string; imports: readonly string[] } {
  const imports: string[] = []
  const exported: string[] = []
  const code = source
    .replaceAll(IMPORT, (_all, names: string, file: string) => {
      imports.push(posix.normalize(file))
      return `const {${names.replaceAll(/\bas\b/g, ':')}} = modules[${JSON.stringify(posix.normalize(file))}]`
    })
    .replaceAll(EXPORT, (_all, kind: string, what: string) => {
      exported.push(what)
      return `${kind} ${what}`
    })
  const left = OTHER.exec(code)
  if (left !== null) throw new Error(`The report cannot carry this line of ${name}: ${left[0]}`)
  const body = `modules[${JSON.stringify(name)}] = (() => {\n${code}\nreturn { ${exported.join(', ')} }\n})()`
  return { body, imports }
}
