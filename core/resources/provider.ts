import type { z } from 'zod'
import type { ChannelType } from './channel-type.ts'

/** A key of the Secret that `secretRef` names, as the provider's own documents call it. */
export interface SecretKey {
  key: string
  description: string
  required: boolean
}

/** What a resource schema needs to know of a provider: from it come the `type` enum, the typed block and its CEL rules. */
export interface ProviderDeclaration {
  /** The value of `providers[].type`, and the name of its settings block. Lower case, stable. */
  type: string
  description: string
  channelTypes: readonly ChannelType[]
  /** Settings of the block. Never holds secrets. */
  settings: z.ZodObject
  secrets: readonly SecretKey[]
}
