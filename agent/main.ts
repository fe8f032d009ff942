#!/usr/bin/env node
// Entry of `cloud-tasks-agent`: checks the Node version in words that any version understands, then loads the rest.
const [major = 0] = process.versions.node.split('.').map(Number)
if (major < 24) {
  process.stderr.write(
    `cloud-tasks-agent needs Node.js 24 or newer, but this is ${process.versions.node}: install it from https://nodejs.org.\n`,
  )
  process.exit(1)
}
process.removeAllListeners('warning') // node:sqlite still calls itself experimental
process.on('warning', warning => {
  if (warning.name !== 'ExperimentalWarning') process.stderr.write(`${warning.name}: ${warning.message}\n`)
})
// A bug of ours is one sentence too; what was not reported runs again, and no task process outlives this one.
process.on('uncaughtException', error => {
  process.stderr.write(`cloud-tasks-agent failed: ${error.message}. With -v it says where.\n`)
  if (process.argv.includes('-v') || process.argv.includes('--verbose')) process.stderr.write(`${error.stack}\n`)
  process.exit(1)
})
// V8 would let short-lived objects fill 200 MB before it looks at them, and takes the first limit only on its command line.
const YOUNG = '--max-semi-space-size'
if (process.execve !== undefined && !process.execArgv.some(flag => flag.startsWith(YOUNG))) {
  const words = [process.execPath, `${YOUNG}=8`, ...process.execArgv, ...process.argv.slice(1)]
  process.execve(process.execPath, words, process.env)
}
const { setFlagsFromString } = await import('node:v8')
setFlagsFromString('--heap-growing-percent=60')
const { enableCompileCache } = await import('node:module')
const { compileCacheFolder } = await import('./compile-cache.ts')
const cache = compileCacheFolder()
if (cache !== undefined) enableCompileCache(cache)
const { runCommand } = await import('./command.ts')
process.exit(await runCommand(process.argv.slice(2), process.env))
