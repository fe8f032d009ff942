// The sources of prices of AWS on a loopback port: the EC2 queries about types, zones and spot prices, the price list, and the
// spot advisor. Small pages, so that paging is always in play; each source can be refused or broken.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'

export interface SoldType {
  readonly type: string
  readonly vcpus: number
  readonly memoryGib: number
  readonly arm?: boolean
  readonly manufacturer?: string
  readonly burstable?: boolean
  readonly bareMetal?: boolean
  readonly previous?: boolean
  readonly ssd?: readonly { readonly gigabytes: number; readonly count: number; readonly kind: 'ssd' | 'hdd' }[]
  readonly gpu?: string
  /** By zone; a zone that is absent does not sell it. */
  readonly spotUsd: Readonly<Record<string, number>>
  readonly onDemandUsd?: number
  /** Of the spot advisor: band from 0 to 4, savings in per cent. */
  readonly advice?: { readonly band: number; readonly savings: number }
}

/** What can be refused: EC2 actions by their name, and the two others. */
export type PriceSource =
  | 'DescribeInstanceTypes'
  | 'DescribeInstanceTypeOfferings'
  | 'DescribeSpotPriceHistory'
  | 'GetProducts'
  | 'advisor'

export interface PriceFakes {
  readonly endpoint: string
  readonly advisorUrl: string
  /** Requests so far, refused ones too. */
  count(source: PriceSource): number
  /** The product families that were asked for, `''` for instances. */
  readonly families: string[]
  refuse(source: PriceSource, how?: 'denied' | 'broken' | 'expired'): void
  allowAll(): void
  /** From now on sells these. */
  sell(types: readonly SoldType[]): void
  close(): Promise<void>
}

export async function startPriceFakes(
  region: string,
  sold: readonly SoldType[],
  { pageSize = 2 }: { readonly pageSize?: number } = {},
): Promise<PriceFakes> {
  let types = sold
  const refused = new Map<PriceSource, 'denied' | 'broken' | 'expired'>()
  const counts = new Map<PriceSource, number>()
  const families: string[] = []
  const server = createServer((request, response) => void serve(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The server has no port.')
  const endpoint = `http://127.0.0.1:${address.port}`

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request)
    const list = request.headers['x-amz-target'] !== undefined
    const query = new URLSearchParams(body)
    const source = sourceOf(request, query)
    counts.set(source, (counts.get(source) ?? 0) + 1)
    const refusal = refused.get(source)
    if (refusal !== undefined) return refuse(response, refusal, list)
    if (source === 'advisor') return answer(response, 200, 'application/json', advisorJson(region, types))
    if (source === 'GetProducts') return answer(response, 200, 'application/x-amz-json-1.1', products(JSON.parse(body)))
    const rows = EC2_ROWS[source](types)
    const [page, next] = paged(rows, query.get('NextToken'), pageSize)
    const set = EC2_SETS[source]
    const token = next === undefined ? '' : `<nextToken>${next}</nextToken>`
    const xml = `<${source}Response><requestId>r</requestId><${set}>${page.join('')}</${set}>${token}</${source}Response>`
    answer(response, 200, 'text/xml', xml)
  }

  function products(asked: { Filters?: { Field: string; Value: string }[]; NextToken?: string }): string {
    const wanted = Object.fromEntries((asked.Filters ?? []).map(({ Field, Value }) => [Field, Value]))
    families.push(wanted.productFamily ?? '')
    const all =
      wanted.productFamily === undefined ? types.flatMap(type => instanceProduct(region, type)) : DISK_PRODUCTS
    const fitting = all.filter(({ product }) =>
      Object.entries(wanted).every(
        ([field, value]) =>
          (field === 'productFamily' ? product.productFamily : (product.attributes[field] ?? value)) === value,
      ),
    )
    const [page, next] = paged(fitting, asked.NextToken, pageSize)
    return JSON.stringify({
      FormatVersion: 'aws_v1',
      PriceList: page.map(product => JSON.stringify(product)),
      ...(next && { NextToken: next }),
    })
  }

  return {
    endpoint,
    advisorUrl: `${endpoint}/spot-advisor-data.json`,
    count: source => counts.get(source) ?? 0,
    families,
    refuse: (source, how = 'denied') => void refused.set(source, how),
    allowAll: () => refused.clear(),
    sell: next => {
      types = next
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function sourceOf(request: IncomingMessage, query: URLSearchParams): PriceSource {
  if (request.method === 'GET') return 'advisor'
  const action = query.get('Action')
  if (action === null) return 'GetProducts'
  if (action in EC2_SETS) return action as Ec2Source
  throw new Error(`This fake does not know the action ${action}.`)
}

type Ec2Source = Exclude<PriceSource, 'GetProducts' | 'advisor'>

const EC2_SETS: Readonly<Record<Ec2Source, string>> = {
  DescribeInstanceTypes: 'instanceTypeSet',
  DescribeInstanceTypeOfferings: 'instanceTypeOfferingSet',
  DescribeSpotPriceHistory: 'spotPriceHistorySet',
}

const EC2_ROWS: Readonly<Record<Ec2Source, (types: readonly SoldType[]) => string[]>> = {
  DescribeInstanceTypes: types => types.map(typeXml),
  DescribeInstanceTypeOfferings: types =>
    types.flatMap(({ type, spotUsd }) =>
      Object.keys(spotUsd).map(zone => `<item><instanceType>${type}</instanceType><location>${zone}</location></item>`),
    ),
  DescribeSpotPriceHistory: types =>
    types.flatMap(({ type, spotUsd }) =>
      Object.entries(spotUsd).map(
        ([zone, usd]) =>
          `<item><instanceType>${type}</instanceType><availabilityZone>${zone}</availabilityZone><spotPrice>${usd}</spotPrice>` +
          '<productDescription>Linux/UNIX</productDescription><timestamp>2026-01-01T00:00:00.000Z</timestamp></item>',
      ),
    ),
}

function typeXml(sold: SoldType): string {
  const disks = (sold.ssd ?? [])
    .map(
      ({ gigabytes, count, kind }) =>
        `<item><sizeInGB>${gigabytes}</sizeInGB><count>${count}</count><type>${kind}</type></item>`,
    )
    .join('')
  const gpu =
    sold.gpu &&
    `<gpuInfo><gpus><item><name>${sold.gpu}</name><manufacturer>NVIDIA</manufacturer><count>1</count></item></gpus></gpuInfo>`
  const storage = disks && `<instanceStorageInfo><disks>${disks}</disks></instanceStorageInfo>`
  return `<item><instanceType>${sold.type}</instanceType><currentGeneration>${!sold.previous}</currentGeneration>
    <supportedUsageClasses><item>on-demand</item>${Object.keys(sold.spotUsd).length > 0 ? '<item>spot</item>' : ''}</supportedUsageClasses>
    <bareMetal>${sold.bareMetal ?? false}</bareMetal><burstablePerformanceSupported>${sold.burstable ?? false}</burstablePerformanceSupported>
    <processorInfo><supportedArchitectures><item>${sold.arm ? 'arm64' : 'x86_64'}</item></supportedArchitectures>
    <manufacturer>${sold.manufacturer ?? 'Intel'}</manufacturer></processorInfo>
    <vCpuInfo><defaultVCpus>${sold.vcpus}</defaultVCpus></vCpuInfo><memoryInfo><sizeInMiB>${sold.memoryGib * 1024}</sizeInMiB></memoryInfo>
    ${storage}${gpu ?? ''}</item>`
}

interface ListProduct {
  readonly product: { readonly productFamily: string; readonly attributes: Readonly<Record<string, string>> }
  readonly terms: unknown
}

function instanceProduct(region: string, sold: SoldType): ListProduct[] {
  const { type, vcpus, memoryGib, onDemandUsd } = sold
  if (onDemandUsd === undefined) return []
  const disks = sold.ssd?.map(
    ({ gigabytes, count, kind }) => `${count} x ${gigabytes} ${kind === 'ssd' ? 'NVMe SSD' : 'HDD'}`,
  )
  const attributes = {
    ...{ instanceType: type, vcpu: String(vcpus), memory: `${memoryGib.toLocaleString('en-US')} GiB` },
    ...{ storage: disks?.join(', ') ?? 'EBS only', currentGeneration: sold.previous ? 'No' : 'Yes' },
    ...{ regionCode: region, operatingSystem: 'Linux', tenancy: 'Shared', preInstalledSw: 'NA' },
    ...{ capacitystatus: 'Used', marketoption: 'OnDemand' },
  }
  const windows = { ...attributes, operatingSystem: 'Windows' }
  return [
    product('Compute Instance', windows, 'Hrs', onDemandUsd * 2),
    product('Compute Instance', attributes, 'Hrs', onDemandUsd),
  ]
}

/** With the odd spellings of the real list. The first IOPS of gp3 are a tier of their own, for nothing. */
const DISK_PRODUCTS: readonly ListProduct[] = [
  product('Storage', { volumeApiName: 'gp3', usagetype: 'EUC1-EBS:VolumeUsage.gp3' }, 'GB-Mo', 0.073),
  product(
    'System Operation',
    { volumeApiName: 'gp3', usagetype: 'EUC1-EBS:VolumeP-IOPS.gp3' },
    'IOPS-Mo',
    0.0073,
    3000,
  ),
  product(
    'Provisioned Throughput',
    { volumeApiName: 'gp3', usagetype: 'EUC1-EBS:VolumeP-Throughput.gp3' },
    'GiBps-mo',
    74.752,
  ),
  product('Storage', { volumeApiName: 'io2', usagetype: 'EUC1-EBS:VolumeUsage.io2' }, 'GB-month', 0.146),
  product('System Operation', { volumeApiName: 'io2', usagetype: 'EUC1-EBS:VolumeP-IOPS.io2' }, 'IOPS-Mo', 0.073),
  product('System Operation', { volumeApiName: 'io2', usagetype: 'EUC1-EBS:VolumeP-IOPS.io2.tier2' }, 'IOPS-Mo', 0.05),
  product('Storage', { volumeApiName: 'st1', usagetype: 'EUC1-EBS:VolumeUsage.st1' }, 'GB-Mo', 0.01),
  product('System Operation', { group: 'EBS I/O Requests', usagetype: 'EUC1-EBS:VolumeIOUsage' }, 'IOs', 0.00000005),
]

function product(
  productFamily: string,
  attributes: Readonly<Record<string, string>>,
  unit: string,
  usd: number,
  freeUnits = 0,
): ListProduct {
  const tier = (price: number) => ({ unit, pricePerUnit: { USD: price.toFixed(10) } })
  const priceDimensions = { ...(freeUnits > 0 && { 'SKU.T.0': tier(0) }), 'SKU.T.1': tier(usd) }
  return {
    product: { productFamily, attributes },
    terms: { OnDemand: { 'SKU.T': { priceDimensions } } },
  }
}

function advisorJson(region: string, types: readonly SoldType[]): string {
  const advised = types.filter(({ advice }) => advice !== undefined)
  const linux = Object.fromEntries(advised.map(({ type, advice }) => [type, { r: advice?.band, s: advice?.savings }]))
  return JSON.stringify({ spot_advisor: { [region]: { Linux: linux, Windows: {} } }, ranges: [], instance_types: {} })
}

function paged<T>(
  rows: readonly T[],
  token: string | null | undefined,
  pageSize: number,
): [rows: readonly T[], next: string | undefined] {
  const from = Number(token ?? 0)
  const next = from + pageSize
  return [rows.slice(from, next), next < rows.length ? String(next) : undefined]
}

function refuse(response: ServerResponse, how: 'denied' | 'broken' | 'expired', list: boolean): void {
  // EC2 says RequestExpired for tokens too.
  const codes = {
    denied: ['AccessDeniedException', 'UnauthorizedOperation'],
    expired: ['ExpiredTokenException', 'RequestExpired'],
  }
  if (how === 'broken') answer(response, 404, 'text/html', '<html>nothing here</html>')
  else if (list)
    answer(response, 400, 'application/x-amz-json-1.1', JSON.stringify({ __type: codes[how][0], message: 'No.' }))
  else
    answer(
      response,
      403,
      'text/xml',
      `<Response><Errors><Error><Code>${codes[how][1]}</Code><Message>No.</Message></Error></Errors></Response>`,
    )
}

function answer(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type }).end(body)
}
