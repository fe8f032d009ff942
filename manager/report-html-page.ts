// The dashboard's page as one file: styles, scripts and data inside, nothing to fetch, and nothing else allowed to run.
import { createHash } from 'node:crypto'
import type { ReportData } from './dashboard/page/report-data.ts'
import { readPageFile } from './dashboard/page-files.ts'
import { joinModules } from './report-html-script.ts'

const STYLESHEET = /[^\S\n]*<link rel="stylesheet" href="\/assets\/([^"]+)" \/>\n/g
const SCRIPT = /[^\S\n]*<script src="\/assets\/([^"]+)"[^>]*><\/script>\n/g

export function renderReportPage(data: ReportData): string {
  const html = readFile('page.html')
  const css = [...html.matchAll(STYLESHEET)].map(([, name = '']) => readFile(name)).join('\n')
  const scripts = [...html.matchAll(SCRIPT)].map(([, name = '']) => {
    return inScript(name === 'main.js' ? joinModules(name, readFile) : readFile(name))
  })
  // A meta element cannot forbid frames, which there is no need for either: the file has no session to be misused.
  const policy = [
    `default-src 'none'`,
    `script-src ${scripts.map(hashOf).join(' ')}`,
    `style-src ${hashOf(css)}`,
    `img-src data:`,
    `base-uri 'none'`,
    `form-action 'none'`,
  ].join('; ')
  const head = [`<meta http-equiv="Content-Security-Policy" content="${policy}" />`, `<style>${css}</style>`]
  const tail = [
    `<script type="application/json" id="report-data">${embed(data)}</script>`,
    ...scripts.map(script => `<script>${script}</script>`),
  ]
  return html
    .replaceAll(STYLESHEET, '')
    .replaceAll(SCRIPT, '')
    .replace('<meta charset="utf-8" />', found => `${found}\n    ${head.join('\n    ')}`)
    .replace('</body>', found => `${tail.join('\n')}\n  ${found}`)
}

/** No text of a task can end the element that carries it, or begin another. */
function embed(data: ReportData): string {
  return JSON.stringify(data).replaceAll('<', '\\u003c')
}

/** Only in a string or a regular expression could such a thing stand. */
function inScript(code: string): string {
  return code.replaceAll(/<(?=\/script|!--)/gi, '\\x3c')
}

function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`
}

function readFile(name: string): string {
  const file = readPageFile(name)
  if (file === undefined) throw new Error(`The dashboard's file ${name} is missing from this installation.`)
  return file.body
}
