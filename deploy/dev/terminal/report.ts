import { sep } from 'node:path'
import type { ChannelType } from '../../../core/resources/channel-type.ts'
import { formatManifestProblem, type ManifestProblem } from '../../../core/resources/manifest.ts'
import type { Caught } from '../mailbox/mailbox.ts'
import { plain, type Terminal } from './terminal.ts'

/** Says what is wrong with the manifests, with the place to click on, and when nothing is any more. */
export function problemReport({ line, style }: Terminal): (problems: readonly ManifestProblem[]) => void {
  let wrong = false
  return (problems) => {
    for (const problem of problems) {
      const text = formatManifestProblem(problem).replaceAll(process.cwd() + sep, '')
      line(`${style('red', 'refused')} ${plain(text, 300)}`)
    }
    if (problems.length > 0) line(style('dim', 'What was good before goes on.'))
    else if (wrong) line(`${style('green', 'mended')} nothing is wrong with the manifests any more`)
    wrong = problems.length > 0
  }
}

/** Says that a channel or template is another one now. @param key of its record: kind/namespace/name, for what a retry may still name with a revision */
export function reportChange(key: string, exists: boolean, { line, style }: Terminal): void {
  if (key.includes('@')) return
  const [kind, , name] = key.split('/')
  line(`${style('green', exists ? 'in use' : 'removed')} ${kind} ${name}`)
}

const symbols: Record<ChannelType, string> = {
  email: '✉',
  sms: '✆',
  push: '◉',
  slack: '#',
  inapp: '▣',
  webhook: '⇢',
}

/** Says in one line what was caught. */
export function reportCaught(caught: Caught, { line, style }: Terminal): void {
  const { channel, to, title, text } = caught
  const words = title ?? text
  const quoted = words === undefined ? '' : ` "${plain(words, 60)}"`
  line(
    `${style('cyan', `${symbols[channel]} ${channel}`)} to ${plain(to)}${quoted}${verdictOf(caught, style)}`,
  )
}

function verdictOf({ verified, problem }: Caught, style: Terminal['style']): string {
  if (verified === undefined) return ''
  return verified ? style('green', ' signature verified') : style('red', ` ${problem}`)
}
