// `node scripts/complete-lock.ts [FOLDER…]`: adds to package-lock.json what npm left out, the optional packages of other
// platforms that its registry mirror lacked at the time. Without them `npm ci` refuses the lock everywhere
// (https://github.com/npm/cli/issues/4828).
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const SYSTEMS = ['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32']
const PROCESSORS = ['arm64', 'x64', 'ia32', 'arm', 'ppc64', 'riscv64', 's390x']

interface LockedPackage {
  readonly version?: string
  readonly dev?: boolean
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

for (const folder of process.argv.length > 2 ? process.argv.slice(2) : ['.'])
  complete(join(folder, 'package-lock.json'))

function complete(file: string): void {
  const lock: { packages: Record<string, LockedPackage> } = JSON.parse(readFileSync(file, 'utf8'))
  const missing = Object.values(lock.packages).flatMap(({ dev, optionalDependencies = {} }) =>
    Object.entries(optionalDependencies)
      .filter(([name]) => !Object.keys(lock.packages).some(key => key.endsWith(`node_modules/${name}`)))
      .map(([name, version]) => [
        `node_modules/${name}`,
        { version, ...platformOf(name), ...(dev ? { dev } : undefined), optional: true },
      ]),
  )
  const packages = [...Object.entries(lock.packages), ...missing].toSorted(([a], [b]) =>
    String(a).localeCompare(String(b), 'en'),
  )
  writeFileSync(file, `${JSON.stringify({ ...lock, packages: Object.fromEntries(packages) }, undefined, 2)}\n`)
  console.log(`${file}: ${missing.length} packages of other platforms added.`)
}

/** From names such as `@oxc-parser/binding-linux-arm-gnueabihf`. npm installs nothing whose platform is not its own. */
function platformOf(name: string): { os: string[]; cpu: string[]; libc?: string[] } {
  const words = name.split('/').at(-1)?.split('-') ?? []
  const os = SYSTEMS.filter(system => words.includes(system))
  const cpu = PROCESSORS.filter(processor => words.includes(processor))
  if (os.length !== 1 || cpu.length !== 1) {
    throw new Error(
      `"${name}" is missing from package-lock.json and names no platform: run npm install where it exists.`,
    )
  }
  const libc = words.some(word => word.startsWith('musl'))
    ? 'musl'
    : words.some(word => word.startsWith('gnu'))
      ? 'glibc'
      : undefined
  return { os, cpu, ...(libc === undefined ? undefined : { libc: [libc] }) }
}
