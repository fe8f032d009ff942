// What VMs can boot from: the newest Ubuntu and Amazon Linux for each architecture, and the account's own images.
import { EC2Client, type Image as Ec2Image, paginateDescribeImages } from '@aws-sdk/client-ec2'
import type { ProviderSettings } from '../open-provider.ts'
import type { Image } from '../provider.ts'
import { awsClientConfig } from './connection.ts'
import { awsFailure } from './failure.ts'
import { awsRegion } from './region.ts'

interface Publisher {
  /** The account that publishes them, an alias of it, or `self`. */
  readonly owner: string
  readonly source: string
  readonly family: string | undefined
  readonly names: string
}

const PUBLISHERS: readonly Publisher[] = [
  {
    owner: '099720109477', // Canonical: https://documentation.ubuntu.com/aws/aws-how-to/instances/find-ubuntu-images/
    source: 'Canonical',
    family: 'ubuntu-24.04',
    names: 'ubuntu/images/hvm-ssd*/ubuntu-noble-24.04-*-server-*',
  },
  { owner: 'amazon', source: 'Amazon', family: 'amazon-linux-2023', names: 'al2023-ami-2023.*' },
  { owner: 'self', source: 'own', family: undefined, names: '*' },
]

export async function loadImages(settings: ProviderSettings): Promise<Image[]> {
  const region = awsRegion(settings)
  const client = new EC2Client(awsClientConfig(settings, 'EC2', { region }))
  try {
    const found = await Promise.all(PUBLISHERS.map(publisher => imagesOf(client, publisher)))
    return found.flat()
  } catch (error) {
    throw awsFailure(error, { doing: 'listing images', region })
  } finally {
    client.destroy()
  }
}

async function imagesOf(client: EC2Client, publisher: Publisher): Promise<Image[]> {
  const images: Ec2Image[] = []
  const pages = paginateDescribeImages(
    { client, pageSize: 1000 },
    { Owners: [publisher.owner], Filters: [{ Name: 'name', Values: [publisher.names] }] },
  )
  for await (const { Images } of pages) images.push(...(Images ?? []))
  const kept = publisher.family === undefined ? images : newestOfEachArchitecture(images)
  return kept.map(image => imageOf(image, publisher))
}

function newestOfEachArchitecture(images: readonly Ec2Image[]): Ec2Image[] {
  const sorted = images.toSorted(newestFirst)
  return ['x86_64', 'arm64'].flatMap(wanted => sorted.find(({ Architecture }) => Architecture === wanted) ?? [])
}

/** Of those made on the same day, with several kernels, the one with the newest kernel. */
function newestFirst(a: Ec2Image, b: Ec2Image): number {
  const day = ({ CreationDate = '' }: Ec2Image) => CreationDate.slice(0, 10)
  if (day(a) !== day(b)) return day(a) < day(b) ? 1 : -1
  return byNumbers.compare(b.Name ?? '', a.Name ?? '')
}

const byNumbers = new Intl.Collator('en', { numeric: true })

function imageOf(image: Ec2Image, { source, family, owner }: Publisher): Image {
  const { Name, ImageId: id = '', Description, State, CreationDate, Architecture } = image
  const createdAt = CreationDate === undefined ? undefined : new Date(CreationDate)
  return {
    name: Name ?? id,
    source,
    id,
    ...(family && { family }),
    ...(owner === 'self' && { own: true }),
    description: [Description, Architecture && `(${Architecture})`].filter(Boolean).join(' '),
    ...(createdAt && { createdAt }),
    ...(State && { status: State }),
  }
}
