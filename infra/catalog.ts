// Part of SEAM 1: what a cloud sells, at which price, and what and where its VMs boot.

export interface Catalog {
  /** Every purchasable combination in the region, priced for spot or on demand. Unpriced ones are left out. */
  offers(options: OfferOptions): Promise<readonly Offer[]>
  images(): Promise<readonly Image[]>
  regions(): Promise<readonly Region[]>
}

export interface OfferOptions {
  readonly region?: string
  readonly spot: boolean
  /** Kinds of boot disk that may be used, in lower case; absent = those that the cloud uses by itself. */
  readonly bootDiskTypes?: readonly string[]
}

/** One instance type in one zone with one kind of boot disk. */
export interface Offer {
  readonly instanceType: string
  readonly vcpuCount: number
  readonly memoryGib: number
  readonly architecture: 'X86_64' | 'ARM64'
  readonly cpuFamily: string | undefined
  /** 0 = unknown … 27 = fastest; the table of docs/compatibility.md. */
  readonly cpuRank: number
  readonly localSsdGib: number
  readonly spotSupported: boolean
  readonly zone: string
  readonly bootDiskType: string | undefined
  /** Without the boot disk where `bootDiskRates` are given: its size is the job's to choose. */
  readonly priceUsdPerHour: number
  readonly bootDiskRates?: BootDiskRates
  /** What the price is made of, where the cloud says. For people. */
  readonly priceParts?: PriceParts
  /** Share, from 0 to 1, of such spot VMs that the cloud took back within a month, where it publishes that. */
  readonly monthlyInterruptionShare?: number
  readonly description?: string
}

/** USD per hour of one unit. */
export interface BootDiskRates {
  readonly usdPerGibHour: number
  readonly usdPerIopsHour?: number | undefined
  readonly usdPerMibPerSecondHour?: number | undefined
  /** Come with the disk, whatever its size. */
  readonly includedIops?: number | undefined
  readonly includedMibPerSecond?: number | undefined
  /** Bought with the disk at most, where the job names none and the disk cannot be without. */
  readonly defaultIops?: number | undefined
  readonly defaultMibPerSecond?: number | undefined
}

/** USD per hour, of the whole VM. */
export interface PriceParts {
  readonly cpu?: number
  /** What a VM that may use its vCPUs only in part pays for using them in full. */
  readonly cpuBurst?: number
  readonly memory?: number
  readonly localSsd?: number
  readonly accelerators?: number
  readonly bootDisk?: number
  readonly bootDiskIops?: number
  readonly bootDiskThroughput?: number
}

export interface Image {
  readonly name: string
  readonly source: string
  readonly family?: string
  readonly project?: string
  /** Made by the account itself. */
  readonly own?: boolean
  readonly id?: string
  readonly description?: string
  readonly createdAt?: Date
  readonly status?: string
  readonly url?: string
}

export interface Region {
  readonly name: string
  readonly description: string
  readonly zones: readonly string[]
  /** Such as whether the account has opted in. */
  readonly status?: string
  readonly endpoint?: string
}
