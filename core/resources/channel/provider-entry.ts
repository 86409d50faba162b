import { z } from 'zod'
import { type ChannelType, channelTypes } from '../channel-type.ts'
import { duration } from '../duration.ts'
import type { ProviderDeclaration } from '../provider.ts'
import { label } from '../resource.ts'
import { type Rule, withRules } from '../rule.ts'
import { rateLimit } from './rate-limit.ts'

const commonFields = {
  name: label().describe(
    'Name of this entry, unique in the channel. Shown in the status and in the timeline of a message.',
  ),
  secretRef: z
    .strictObject({
      name: z.string().min(1).max(253).describe('Name of the Secret.'),
    })
    .optional()
    .describe(
      'Secret of the same namespace with the credentials. The reference of each provider names the keys.',
    ),
  timeout: duration('100ms', '5m').default('10s').describe('How long one attempt may take.'),
  maxConcurrent: z
    .int()
    .min(1)
    .max(1000)
    .default(20)
    .describe('Attempts in flight at this provider per worker.'),
  rateLimit: rateLimit()
    .optional()
    .describe('Messages that this provider may be given, over all workers. Unlimited when absent.'),
}

const common = z.strictObject(commonFields)

/** One entry of `spec.providers`. The block that `type` names has the shape that the provider's own settings schema says. */
export type ChannelProvider = z.output<typeof common> & { type: string } & Record<string, unknown>
export type ChannelProviderInput = z.input<typeof common> & { type: string } & Record<string, unknown>

/** The settings block of an entry; empty when it was left out. */
export function providerSettings(entry: ChannelProvider): unknown {
  return entry[entry.type] ?? {}
}

/** The schema of one entry: the common fields, `type`, and a block per provider, of which only the one named may be set. */
export function providerSchema(
  providers: readonly ProviderDeclaration[],
): z.ZodType<ChannelProvider, ChannelProviderInput> {
  const types = providers.map((provider) => provider.type)
  const blocks = providers.map((provider) => [
    provider.type,
    provider.settings
      .strict()
      .optional()
      .describe(`Settings of type ${provider.type}. ${provider.description}`),
  ])
  const { name, ...rest } = commonFields
  const entry = z.strictObject({
    name,
    type: z.enum(types).describe('Which service this is. The settings stand in the block of the same name.'),
    ...(Object.fromEntries(blocks) as Record<string, z.ZodOptional<z.ZodObject>>),
    ...rest,
  })
  const checked = withRules(
    entry as unknown as z.ZodType<ChannelProvider, ChannelProviderInput>,
    providers.flatMap((provider) => [blockRule(provider), ...secretRules(provider)]),
  )
  return checked.describe('A service that carries messages, with its settings.')
}

/** A block without a required field may be left out; any other must stand where its type does, and only there. */
function blockRule(provider: ProviderDeclaration): Rule<ChannelProvider> {
  const { type } = provider
  const block = `self.${type.replaceAll('-', '__dash__')}` // As CEL spells a dash in the name of a field.
  const optional = provider.settings.safeParse({}).success
  return {
    cel: optional ? `!has(${block}) || self.type == '${type}'` : `has(${block}) == (self.type == '${type}')`,
    message: optional
      ? `may be set only when type is ${type}`
      : `must be set when type is ${type}, and only then`,
    holds: (entry) => (entry[type] !== undefined ? entry.type === type : optional || entry.type !== type),
    field: type,
  }
}

/** A provider that cannot work without some key cannot work without a Secret. */
function secretRules({ type, secrets }: ProviderDeclaration): Rule<ChannelProvider>[] {
  const keys = secrets.filter((secret) => secret.required).map((secret) => secret.key)
  if (keys.length === 0) return []
  return [
    {
      cel: `self.type != '${type}' || has(self.secretRef)`,
      message: `is required when type is ${type}: a Secret with ${keys.join(' and ')}`,
      holds: (entry) => entry.type !== type || entry.secretRef !== undefined,
      field: 'secretRef',
    },
  ]
}

/** Per channel type, which providers can serve it. */
export function providersFit(
  providers: readonly ProviderDeclaration[],
): Rule<{ type: ChannelType; providers: ChannelProvider[] }>[] {
  return channelTypes.map((channelType) => {
    const fitting = providers
      .filter((provider) => provider.channelTypes.includes(channelType))
      .map((provider) => provider.type)
    return {
      cel: `self.type != '${channelType}' || self.providers.all(p, p.type in [${fitting.map((type) => `'${type}'`).join(', ')}])`,
      message: `a channel of type ${channelType} takes providers of type ${fitting.join(' or ')}`,
      holds: (spec) =>
        spec.type !== channelType || spec.providers.every((entry) => fitting.includes(entry.type)),
      field: 'providers',
    }
  })
}
