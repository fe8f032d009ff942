// `npm test`: runs the test files (those under the paths given, or all that need neither emulators of a cloud nor a browser),
// names what was skipped and why, ends with the count.
import { globSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { run } from 'node:test'
import { formatFailure, TestTally } from './test-tally.ts'

const FILES_AT_ONCE = 3 // the tests start real VMs and agents, and wait for them half of the time
const FILE_LIMIT_MS = 5 * 60_000
const NEEDS_EMULATORS = join('test', 'clouds') // run by `npm run test:clouds`, which installs them first
const NEEDS_BROWSER = join('test', 'browser') // run by `npm run test:browser`
const RUN_LIMIT_MS = 20 * 60_000 // far above the usual; a hanging test must not hold a CI machine

// For every Node that the tests start, by the hundred: half their time would go into reading the same TypeScript.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, '..', 'node_modules', '.cache', 'cloud-tasks-compiled')

const ci = process.env.CI === 'true'
const files = findTestFiles(process.argv.slice(2))
if (files.length === 0) {
  console.error(`No test file matches ${process.argv.slice(2).join(' ')}. Give paths such as test/core.`)
  process.exit(2)
}

const tally = new TestTally()
const startedAtMs = Date.now()
const tests = run({
  files,
  concurrency: FILES_AT_ONCE,
  timeout: FILE_LIMIT_MS,
  signal: AbortSignal.timeout(RUN_LIMIT_MS),
})
tests.on('test:pass', event => tally.pass(event))
tests.on('test:fail', event => {
  if (tally.fail(event)) console.log(formatFailure(event, relativeName(event.file)))
})
tests.on('test:summary', ({ file, counts, duration_ms: ms, success }) => {
  if (file === undefined) return // the summary of the whole run; the count below is ours
  console.log(`${success ? 'ok  ' : 'FAIL'} ${relativeName(file)} (${counts.tests} tests, ${(ms / 1000).toFixed(1)} s)`)
})
tests.on('test:stderr', ({ message }) => process.stderr.write(message))
tests.on('test:stdout', ({ message }) => process.stdout.write(message))
for await (const _ of tests) {
  // Reading drives the run; the handlers above see every event.
}

for (const skip of tally.skips) console.log(`skipped: ${relativeName(skip.file)}: ${skip.name} — ${skip.reason}`)
if (ci && tally.skips.length > 0)
  console.log('With CI=true a skipped test fails the run: give the machine what it lacks.')
console.log(`${files.length} files, ${((Date.now() - startedAtMs) / 1000).toFixed(0)} s`)
console.log(tally.line())
process.exitCode = tally.failedCount > 0 || tally.passedCount === 0 || (ci && tally.skips.length > 0) ? 1 : 0

function findTestFiles(paths: readonly string[]): string[] {
  const all = globSync('test/**/*.test.ts').toSorted()
  if (paths.length === 0) return all.filter(file => !isUnder(file, NEEDS_EMULATORS) && !isUnder(file, NEEDS_BROWSER))
  return all.filter(file => paths.some(path => file === path || isUnder(file, path)))
}

function isUnder(file: string, folder: string): boolean {
  return file.startsWith(folder.replace(/[/\\]*$/, sep))
}

function relativeName(file: string | undefined): string {
  return file === undefined ? '?' : relative(process.cwd(), file)
}
