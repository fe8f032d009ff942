// The version of this installation, from its package.json, which stands above the sources and above dist/ alike.
import { readFile } from 'node:fs/promises'

export async function programVersion(): Promise<string> {
  for (const path of ['../../package.json', '../../../package.json']) {
    const text = await readFile(new URL(path, import.meta.url), 'utf8').catch(() => undefined)
    const version = text?.match(/"version":\s*"([^"]+)"/)?.[1]
    if (version !== undefined) return `cloud-tasks ${version}`
  }
  return 'cloud-tasks (version unknown)'
}
