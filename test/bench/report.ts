import type { AcceptResult } from './accept.ts'
import type { DevResult } from './dev.ts'
import { baseline } from './scenarios.ts'
import type { Spread } from './statistics.ts'

/** What `make bench` measures: written as JSON, and compared with that of an earlier run. */
export interface BenchResult {
  node: string
  processor: string
  processors: number
  rounds: number
  seconds: number
  accept: AcceptResult[]
  /** Absent when only some scenarios were asked for. */
  dev?: DevResult
}

/** A table for people: medians, and the smallest and the largest round in brackets. */
export function describe({ accept, dev }: BenchResult): string {
  const rows = accept.map((result) => [
    result.scenario,
    String(result.connections),
    spread(result.requestsPerSecond, 0),
    spread(result.ratio, 2),
    spread(result.cpu, 0),
    spread(result.cpuRatio, 1),
    result.cpuOfOthers.median.toFixed(0),
    `${result.p50.median.toFixed(1)} / ${result.p99.median.toFixed(1)}`,
  ])
  const head = ['accept', 'conns', 'requests/s', 'to bare', 'CPU us', 'to bare', 'others', 'p50 / p99 ms']
  return [table([head, ...rows]), ...(dev === undefined ? [] : [describeDev(dev)])].join('\n\n')
}

function describeDev({ idleCpu, endToEnd }: DevResult): string {
  const { requestsPerSecond, p50, p99 } = endToEnd
  return [
    'carillon dev',
    `  idle        ${idleCpu.node.toFixed(1)} ms of CPU a second, and PostgreSQL ${idleCpu.postgres.toFixed(1)}`,
    `  end to end  p50 ${spread(p50, 1)} ms, p99 ${spread(p99, 1)} ms, webhooks at ${requestsPerSecond}/s`,
  ].join('\n')
}

/** How the ratios moved since an earlier run. Times are not compared: they are another machine's, or another day's. */
export function compare(before: BenchResult, now: BenchResult): string {
  const rows = now.accept.flatMap((result) => {
    const earlier = before.accept.find(
      ({ scenario, connections }) => scenario === result.scenario && connections === result.connections,
    )
    return earlier === undefined || result.scenario === baseline.name
      ? []
      : [
          [
            result.scenario,
            String(result.connections),
            moved(earlier.ratio, result.ratio),
            moved(earlier.cpuRatio, result.cpuRatio),
          ],
        ]
  })
  return table([['against baseline.json', 'conns', 'requests/s to bare', 'CPU to bare'], ...rows])
}

function moved(before: Spread, now: Spread): string {
  const percent = (now.median / before.median - 1) * 100
  const apart = now.min > before.max || now.max < before.min
  const change = `${percent > 0 ? '+' : ''}${percent.toFixed(0)} %`
  return `${before.median.toFixed(2)} -> ${now.median.toFixed(2)}  ${apart ? change : `${change}, within the spread`}`
}

function spread({ median, min, max }: Spread, digits: number): string {
  return `${median.toFixed(digits)} (${min.toFixed(digits)}-${max.toFixed(digits)})`
}

function table(rows: readonly string[][]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
