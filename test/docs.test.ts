// Keeps the documents true: their commands are run, their links lead somewhere, their tables are the programs' own.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import { fillPage, renderReferences } from '../scripts/reference-tables.ts'
import { checkout, commandsOf, ReaderFolder } from './support/shell-blocks.ts'

const documents = globSync(['*.md', 'docs/**/*.md', 'examples/*/*.md'], { cwd: checkout }).toSorted()

/** Documents whose commands another test runs, one after the other. */
const RUN_ELSEWHERE = new Map([
  ['README.md', 'the second half of this file'],
  ['examples/parallel-addition/README.md', 'test/examples/parallel-addition.test.ts'],
  ['examples/flight-delays/README.md', 'test/examples/flight-delays.test.ts'],
  ['examples/workers/README.md', 'test/examples/workers-pages.test.ts'],
  ['docs/workers/python.md', 'test/examples/workers-pages.test.ts'],
  ['docs/workers/php.md', 'test/examples/workers-pages.test.ts'],
  ['docs/workers/executables.md', 'test/examples/workers-pages.test.ts'],
  ['docs/gcp.md', 'scripts/test-tools.ts installs the packages; test/clouds/gcp/stack.test.ts runs the program'],
  ['docs/aws.md', 'test/clouds/aws/lab.test.ts'],
  ['docs/workers/http.md', 'test/examples/http-pages.test.ts'],
])

/** Commands that no test can run, because they would run the tests, take minutes, or change this very folder. */
const NOT_HERE = new Map([
  ['npm ci && npm run demo', '.ci/run runs both'],
  ['npm ci && npm test', '.ci/run runs both'],
  ['npm ci', '.ci/run'],
  ['npm run check', '.ci/run runs its four parts'],
  ['npm run bench', '.ci/run runs it with --quick'],
])

describe('documents', () => {
  it('shows no command that is not run by a test or by CI', () => {
    const unknown = documents
      .filter(document => !RUN_ELSEWHERE.has(document))
      .flatMap(document => commandsOf(document).map(command => ({ document, command })))
      .filter(({ command }) => !NOT_HERE.has(command))
    assert.deepEqual(unknown, [])
  })

  it('has no link to a file or a heading that does not exist', () => {
    const broken = documents.flatMap(document =>
      linksOf(document)
        .filter(link => !/^[a-z]+:/.test(link) && !leadsSomewhere(document, link))
        .map(link => `${document}: ${link}`),
    )
    assert.deepEqual(broken, [])
  })

  it('calls the program by a name that works in a checkout', { timeout: 30_000 }, () => {
    const help = execFileSync('npx', ['cloud-tasks', '--help'], { cwd: checkout, encoding: 'utf8', timeout: 20_000 })
    assert.match(help, /^Usage: cloud-tasks/)
  })

  it('lists the keys, commands and settings that the programs know (npm run docs writes them anew)', () => {
    for (const [name, generated] of Object.entries(renderReferences())) {
      const page = readFileSync(join(checkout, 'docs', name), 'utf8')
      assert.equal(page, fillPage(page, generated), name)
    }
  })
})

describe('README', () => {
  let folder: ReaderFolder
  before(() => {
    folder = new ReaderFolder('README.md')
  })
  after(() => folder.remove())

  it('shows a job that runs as it says', { timeout: 90_000 }, async () => {
    for (const command of commandsOf('README.md').filter(each => !NOT_HERE.has(each))) {
      const { exitCode, stdout, stderr } = await folder.run(command)
      assert.equal(exitCode, 0, `${command}\n${stdout}\n${stderr}`)
    }
    const db = new DatabaseSync(folder.file('areas.db'), { readOnly: true })
    const rows = db.prepare('SELECT task_id, status, result FROM tasks ORDER BY task_id').all()
    db.close()
    const areas = { large: Math.PI * 10_000, small: Math.PI }
    assert.deepEqual(
      rows.map(row => ({ ...row })),
      Object.entries(areas).map(([task_id, area]) => ({ task_id, status: 'completed', result: JSON.stringify(area) })),
    )
  })
})

function linksOf(document: string): string[] {
  const markdown = readFileSync(join(checkout, document), 'utf8').replaceAll(/^```.*?^```$/gms, '')
  return [...markdown.matchAll(/\]\(([^)\s]+)\)/g)].map(match => match[1] ?? '')
}

function leadsSomewhere(document: string, link: string): boolean {
  const [file = '', heading] = link.split('#')
  const target = file === '' ? document : join(dirname(document), file)
  const found = globSync(target, { cwd: checkout }).length > 0
  return found && (heading === undefined || headingsOf(target).includes(heading))
}

/** As GitHub makes them. */
function headingsOf(document: string): string[] {
  const markdown = readFileSync(join(checkout, document), 'utf8')
  return [...markdown.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  )
}
