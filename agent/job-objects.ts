// The object store as an agent may use it.
import type { Objects, Provider } from '../infra/provider.ts'

/** What an agent writes lies under the job's name: its VMs may write nowhere else, and with the job's stack it ends. */
export function openJobObjects(provider: Provider, job: string | undefined): Objects {
  const objects = provider.openObjects()
  if (job === undefined) return objects
  return {
    write: (key, content) => objects.write(`${job}/${key}`, content),
    read: url => objects.read(url),
    remove: url => objects.remove(url),
  }
}
