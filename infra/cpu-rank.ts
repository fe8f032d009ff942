// How fast a processor is compared with others, as a rank from 0 (not known) to 27: the scale of min_cpu_rank and max_cpu_rank.

const RANKS: Readonly<Record<string, number>> = {
  Intel: 1,
  'Intel Nehalem': 2,
  'Intel Westmere': 3,
  'Intel Sandy Bridge': 4,
  'Intel Ivy Bridge': 5,
  'Intel Haswell': 6,
  'Intel Broadwell': 7,
  'Intel Core i7': 8,
  'AWS Graviton': 9,
  'AMD Naples': 10,
  'Intel Skylake': 11,
  'Intel Cascade Lake': 12,
  'AMD Rome': 13,
  'Apple M1': 14,
  'Ampere Altra': 15,
  'Intel Ice Lake': 16,
  'AMD Milan': 17,
  'AWS Graviton2': 18,
  'AWS Graviton3': 19,
  'AWS Graviton3E': 20,
  'Intel Sapphire Rapids': 21,
  'AMD Genoa': 22,
  'AWS Graviton4': 23,
  'AWS Inferentia2': 24,
  'Intel Emerald Rapids': 25,
  'AMD Turin': 26,
  // Newer than the scale, which ends at 27: they share its last two places.
  'Intel Granite Rapids': 26,
  'AWS Graviton5': 27,
  'Google Axion': 27,
}

/** 0 for a processor that is not in the table. */
export function cpuRankOf(cpuFamily: string | undefined): number {
  return cpuFamily === undefined ? 0 : (RANKS[cpuFamily] ?? 0)
}
