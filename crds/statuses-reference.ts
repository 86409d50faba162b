import { reasonMeanings, statusMeanings } from '../core/notification/meanings.ts'
import { deliveryStatuses, isTerminal, reasons } from '../core/notification/status.ts'

/** The page of every status and reason of a delivery. */
export function statusesReference(): string {
  const statuses = deliveryStatuses.flatMap((status) => {
    const { when } = statusMeanings[status]
    return when === undefined ? [] : [`| \`${status}\` | ${isTerminal(status) ? 'yes' : ''} | ${when} |`]
  })
  const given = reasons.flatMap((reason) => {
    const { when } = reasonMeanings[reason]
    return when === undefined ? [] : [`| \`${reason}\` | ${when} |`]
  })
  const reserved = [
    ...deliveryStatuses.map((status) => [status, statusMeanings[status]] as const),
    ...reasons.map((reason) => [reason, reasonMeanings[reason]] as const),
  ].flatMap(([word, { reserved: why }]) => (why === undefined ? [] : [`| \`${word}\` | ${why} |`]))
  return [
    '# Statuses and reasons',
    'Of a delivery, as the API answers them and events tell them. What becomes of a message on the way is in [From a request to an outcome](../concepts/delivery.md).',
    '## Statuses',
    ['| status | final | what it means |', '|---|---|---|', ...statuses].join('\n'),
    'A replay takes a dead letter up again.',
    '## Reasons',
    ['| reason | when |', '|---|---|', ...given].join('\n'),
    '## Not given at present',
    'The lists of the API and of events have these words too, and no delivery has them now. [Why](../decisions/0018-words-that-nothing-gives-yet.md).',
    ['| word | |', '|---|---|', ...reserved].join('\n'),
  ].join('\n\n')
}
