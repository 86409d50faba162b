/** Digits, then a power of ten, of 1024, or an exponent. */
const form = /^\+?(?=\.?\d)(\d*)\.?(\d*)([numkMGTPE]?|[KMGTPE]i|[eE][+-]?\d{1,2})$/
const decimal = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E']
const binary = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei']

/**
 * Whether two quantities of CPU, memory and the like are the same, such as `0.1` and `100m`, or `1024Mi` and `1Gi`: the API server stores them in another
 * writing than it was sent, and of a pod rounded up to thousandths. What is no quantity is the same as itself alone. Pure.
 * https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
 */
export function isSameQuantity(left: unknown, right: unknown): boolean {
  const thousandths = thousandthsOf(left)
  return thousandths === undefined ? left === right : thousandths === thousandthsOf(right)
}

function thousandthsOf(quantity: unknown): bigint | undefined {
  const match = form.exec(String(quantity))
  if (match === null) return undefined
  const [, whole = '', fraction = '', suffix = ''] = match
  const factor = 1024n ** BigInt(Math.max(0, binary.indexOf(suffix)))
  const power = 3 - fraction.length + powerOfTen(suffix)
  const amount = BigInt(whole + fraction) * factor * 10n ** BigInt(Math.max(0, power))
  const divisor = 10n ** BigInt(Math.max(0, -power))
  return (amount + divisor - 1n) / divisor
}

function powerOfTen(suffix: string): number {
  if (suffix.endsWith('i')) return 0
  return /\d/.test(suffix) ? Number(suffix.slice(1)) : decimal.indexOf(suffix) * 3 - 9
}
