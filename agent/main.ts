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
const { runCommand } = await import('./command.ts')
process.exit(await runCommand(process.argv.slice(2), process.env))
