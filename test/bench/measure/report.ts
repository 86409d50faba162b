import type { Spread } from './statistics.ts'
import { table } from './table.ts'

/** How ratios moved since an earlier run: of those that both have. Times are not compared: they are another machine's, or another day's. */
export function compare(
  before: Readonly<Record<string, Spread>>,
  now: Readonly<Record<string, Spread>>,
): string {
  const rows = Object.entries(now).flatMap(([name, spread]) =>
    before[name] === undefined ? [] : [[name, ...moved(before[name], spread)]],
  )
  if (rows.length === 0) return 'nothing to compare with in baseline.json'
  return table([['against baseline.json', 'before', 'now', 'change'], ...rows])
}

function moved(before: Spread, now: Spread): [string, string, string] {
  const percent = (now.median / before.median - 1) * 100
  const apart = now.min > before.max || now.max < before.min
  const change = `${percent > 0 ? '+' : ''}${percent.toFixed(0)} %`
  return [before.median.toFixed(2), now.median.toFixed(2), apart ? change : `${change}, within the spread`]
}
