// A program that ends the VM it runs on, on a "machine" that has only the given commands for it: none reaches this host.
import { type ChildProcess, spawn } from 'node:child_process'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'

export interface PoweringOffVm {
  readonly vm: ChildProcess
  readonly stderr: () => string
  /** The commands that were run. */
  log(): Promise<string>
}

export interface VmParts {
  /** Path of the program. */
  readonly program: string
  /** Besides its PATH. */
  readonly env: Readonly<Record<string, string>>
  /** Name → bash. */
  readonly commands: Readonly<Record<string, string>>
}

/** In a process group of its own, so that a command may end all of it. */
export async function startPoweringOff({ program, env, commands }: VmParts): Promise<PoweringOffVm> {
  const bin = await mkdtemp(join(tmpdir(), 'cloud-tasks-vm-'))
  const logFile = join(bin, 'log')
  await writeFile(logFile, '')
  for (const [name, script] of Object.entries(commands)) {
    await writeFile(join(bin, name), `#!/bin/bash\nPATH=/usr/bin:/bin\necho "${name} $*" >> '${logFile}'\n${script}\n`)
    await chmod(join(bin, name), 0o755)
  }
  const vm = spawn(process.execPath, [program], {
    detached: true,
    env: { PATH: [bin, dirname(process.execPath)].join(delimiter), ...env },
    stdio: ['ignore', 'inherit', 'pipe'],
  })
  let said = ''
  vm.stderr?.setEncoding('utf8').on('data', text => {
    said += text
  })
  return {
    vm,
    stderr: () => said,
    async log() {
      const text = await readFile(logFile, 'utf8')
      await rm(bin, { recursive: true })
      return text
    },
  }
}
