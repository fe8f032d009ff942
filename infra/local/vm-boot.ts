// The boot of a local VM: its disk, its environment, its startup script, its console.
import { spawn } from 'node:child_process'
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  truncateSync,
} from 'node:fs'
import { shebangOptions } from '../startup-script.ts'
import { VM_PROGRAMS, VM_PYTHON_PATH } from './program-paths.ts'
import { LOCAL_ROOT_VARIABLE } from './root.ts'
import { VM_FOLDER_VARIABLE, VM_ID_VARIABLE, type VmFacts, type VmFolder } from './vm-folder.ts'

const STARTUP_SCRIPT = 'startup.sh'
const CONSOLE_BYTES = 5_000_000 // and as much again in the older half
/** Nothing else of the launching program's environment reaches the VM, as in a real cloud. */
const INHERITED = ['PATH', 'LANG', 'LC_ALL', 'TZ', 'USER', 'LOGNAME', 'SHELL'] as const

export interface RunningScript {
  /** undefined while it runs. */
  endReason(): string | undefined
}

/** Makes the VM's disk. Doing it twice does no harm. */
export function makeDisk(folder: VmFolder, facts: VmFacts, startupScript: string): void {
  mkdirSync(folder.file('bin'), { recursive: true })
  mkdirSync(folder.file('tmp'), { recursive: true })
  folder.writeFacts(facts)
  folder.write(STARTUP_SCRIPT, startupScript, { executable: true })
  for (const [name, args] of Object.entries(VM_PROGRAMS)) {
    const command = [process.execPath, ...args].map(quote).join(' ')
    folder.write(`bin/${name}`, `#!/bin/sh\nexec ${command} "$@"\n`, { executable: true })
  }
}

/** In a session of its own, so that no terminal and no Ctrl-C reaches it. */
export function startScript(vm: {
  readonly root: string
  readonly folder: VmFolder
  readonly id: string
}): RunningScript {
  const { folder } = vm
  const options = shebangOptions(readFileSync(folder.file(STARTUP_SCRIPT), 'utf8'))
  // A file, not a pipe: the console goes on when the host dies.
  const console = openSync(folder.console, 'a')
  const script = spawn('bash', [...options, folder.file(STARTUP_SCRIPT)], {
    cwd: folder.path,
    env: environment(vm),
    detached: true,
    stdio: ['ignore', console, console],
  })
  closeSync(console)
  let reason: string | undefined
  script.on('error', error => {
    reason = `startup script failed (${error.message})`
  })
  script.on('exit', (code, signal) => {
    if (code === 0) reason = 'script ended'
    else reason = `startup script failed (${code === null ? `killed by ${signal}` : `exit code ${code}`})`
  })
  return { endReason: () => reason }
}

export function writeConsole(folder: VmFolder, line: string): void {
  appendFileSync(folder.console, `${line}\n`)
}

/** Keeps the latest 5 to 10 MB. Writers append, so they go on at the new end. */
export function boundConsole(folder: VmFolder): void {
  const size = statSync(folder.console, { throwIfNoEntry: false })?.size ?? 0
  if (size < CONSOLE_BYTES) return
  copyFileSync(folder.console, folder.file('console.1.log'))
  truncateSync(folder.console)
}

function environment({ root, folder, id }: { root: string; folder: VmFolder; id: string }): Record<string, string> {
  const inherited = INHERITED.flatMap(name => (process.env[name] === undefined ? [] : [[name, process.env[name]]]))
  return {
    LANG: 'C.UTF-8',
    ...Object.fromEntries(inherited),
    PATH: `${folder.file('bin')}:${process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin'}`,
    ...(VM_PYTHON_PATH === undefined ? undefined : { PYTHONPATH: VM_PYTHON_PATH }),
    HOME: folder.path,
    TMPDIR: folder.file('tmp'),
    [VM_ID_VARIABLE]: id,
    [VM_FOLDER_VARIABLE]: folder.path,
    [LOCAL_ROOT_VARIABLE]: root,
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}
