#!/usr/bin/env node
// The program cloud-tasks. Only what any Node can run stands here: the rest is loaded once the version is known to fit.

const REQUIRED_MAJOR = 24
const [major = 0] = process.versions.node.split('.').map(Number)
if (major < REQUIRED_MAJOR) {
  process.stderr.write(`cloud-tasks needs Node ${REQUIRED_MAJOR} or newer, but this is ${process.versions.node}.\n`)
  process.exit(1)
}

// node:sqlite works and is pinned by our tests; that its API may still change is no news to whoever runs a job.
const emitWarning = process.emitWarning.bind(process)
process.emitWarning = (warning: string | Error, ...rest: unknown[]) => {
  const kind = typeof rest[0] === 'object' && rest[0] !== null && 'type' in rest[0] ? rest[0].type : rest[0]
  if (kind !== 'ExperimentalWarning') Reflect.apply(emitWarning, process, [warning, ...rest])
}

// V8 would let short-lived objects fill 200 MB before it looks at them, and takes this limit only on its command line. Worth
// a second start only for the commands that move millions of tasks.
const YOUNG = '--max-semi-space-size'
const MOVES_TASKS = /^(run|load[-_]queue|monitor[-_]event[-_]queue|dashboard)$/
const helps = process.argv.some(word => word === '--help' || word === '-h')
if (process.execve !== undefined && MOVES_TASKS.test(process.argv[2] ?? '') && !helps) {
  if (!process.execArgv.some(flag => flag.startsWith(YOUNG))) {
    const words = [process.execPath, `${YOUNG}=2`, ...process.execArgv, ...process.argv.slice(1)]
    process.execve(process.execPath, words, process.env)
  }
  const { setFlagsFromString } = await import('node:v8')
  setFlagsFromString('--heap-growing-percent=30')
}

const { runProgram } = await import('./cli/program.ts')
process.exitCode = await runProgram(process.argv.slice(2))
