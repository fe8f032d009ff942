// What VMs can boot from: images that Google's public projects offer, and the project's own; and which of them a job means.
import { UserError } from '../../core/errors.ts'
import type { Image } from '../provider.ts'
import { GcpError, gcpFailure } from './failure.ts'
import { type GcpRest, type Json, listOf, objectOf, textOf } from './rest.ts'

/** https://cloud.google.com/compute/docs/images/os-details, those of Linux. */
const PUBLIC_PROJECTS: readonly string[] = [
  ...['cos-cloud', 'debian-cloud', 'rocky-linux-cloud', 'ubuntu-os-cloud', 'centos-cloud', 'fedora-coreos-cloud'],
  ...['opensuse-cloud', 'oracle-linux-cloud', 'rhel-cloud', 'rhel-sap-cloud', 'suse-cloud', 'suse-sap-cloud'],
  'ubuntu-os-pro-cloud',
]

const FIELDS =
  'nextPageToken,items(id,name,family,description,status,creationTimestamp,selfLink,architecture,deprecated)'

/** A public project that cannot be read is left out, with a warning. */
export async function loadImages(
  rest: GcpRest,
  projectId: string,
  warn: (text: string) => void,
): Promise<readonly Image[]> {
  const [own, ...publics] = await Promise.all([
    imagesOf(rest, projectId, true),
    ...PUBLIC_PROJECTS.filter(project => project !== projectId).map(project =>
      imagesOf(rest, project, false).catch((error: unknown) => {
        warn(gcpFailure(error, { doing: 'listing images', projectId: project }).message)
        return []
      }),
    ),
  ])
  return [...publics.flat(), ...own]
}

/** Deprecated ones, which make up nine tenths, are left out. */
async function imagesOf(rest: GcpRest, project: string, own: boolean): Promise<Image[]> {
  const images: Image[] = []
  const query = { maxResults: 500, fields: FIELDS }
  for await (const page of rest.pages(`/compute/v1/projects/${project}/global/images`, { query })) {
    const current = listOf(page.items).map(objectOf).filter(isCurrent)
    images.push(...current.map(item => imageOf(item, project, own)))
  }
  return images
}

function isCurrent({ deprecated }: Json): boolean {
  const { state } = objectOf(deprecated)
  return state === undefined || state === 'ACTIVE'
}

function imageOf(item: Json, project: string, own: boolean): Image {
  const [id, family, status, url] = [textOf(item.id), textOf(item.family), textOf(item.status), textOf(item.selfLink)]
  const [description, architecture, created] = [item.description, item.architecture, item.creationTimestamp].map(textOf)
  return {
    name: textOf(item.name) ?? id ?? '',
    source: own ? 'own' : 'public',
    project,
    ...(own && { own }),
    ...(id && { id }),
    ...(family && { family }),
    description: [description, architecture && `(${architecture.toLowerCase()})`].filter(Boolean).join(' '),
    ...(created && { createdAt: new Date(created) }),
    ...(status && { status }),
    ...(url && { url }),
  }
}

interface WantedImage {
  /** As the job file says it: a path or URL, the name of a family, or of an image. Absent: Ubuntu 24.04. */
  readonly image: string | undefined
  readonly architecture: 'X86_64' | 'ARM64'
}

/** Where the image is, in a form that an instance template takes. Rejects with a UserError if it is nowhere, or in several places. */
export async function findImage(
  rest: GcpRest,
  projectId: string,
  { image, architecture }: WantedImage,
): Promise<string> {
  if (image === undefined) {
    return `projects/ubuntu-os-cloud/global/images/family/ubuntu-2404-lts-${architecture === 'ARM64' ? 'arm64' : 'amd64'}`
  }
  if (image.includes('/')) return image
  const projects = [projectId, ...PUBLIC_PROJECTS.filter(project => project !== projectId)]
  const families = await found(rest, projects, `family/${image}`)
  const [one, ...others] = families.length > 0 ? families : await found(rest, projects, image)
  if (one === undefined) {
    throw new UserError(`There is no image or family of images "${image}": see "cloud-tasks list_images".`)
  }
  if (others.length > 0) {
    const paths = [one, ...others].map(({ path }) => path).join(' and ')
    throw new UserError(`The image "${image}" is in several projects: give it as one of ${paths}.`)
  }
  if (one.architecture !== undefined && one.architecture !== architecture) {
    throw new UserError(
      `Image "${image}" is for ${one.architecture}, but the job's architecture is ${architecture}: change one of them.`,
    )
  }
  return one.path
}

interface FoundImage {
  readonly path: string
  readonly architecture: string | undefined
}

async function found(rest: GcpRest, projects: readonly string[], name: string): Promise<FoundImage[]> {
  const asked = projects.map(async (project): Promise<FoundImage[]> => {
    const path = `projects/${project}/global/images/${name}`
    try {
      const { architecture } = await rest.request('GET', `/compute/v1/${path}`)
      return [{ path, architecture: textOf(architecture) }]
    } catch (error) {
      if (error instanceof GcpError && error.status === 404) return []
      throw gcpFailure(error, { doing: `looking for the image "${name}"`, projectId: project })
    }
  })
  return (await Promise.all(asked)).flat()
}
