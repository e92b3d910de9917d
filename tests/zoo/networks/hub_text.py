"""Networks over text from transformers, at small sizes; inputs are tensors, outputs tensors."""

from __future__ import annotations

import torch
import transformers

SMALL = dict(
    vocab_size=100, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
    max_position_embeddings=64,
)


class Bert(transformers.BertModel):
    def __init__(self) -> None:
        super().__init__(transformers.BertConfig(**SMALL))

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y = super().forward(input_ids, attention_mask=attention_mask)
        return y.last_hidden_state, y.pooler_output


class Gpt2(transformers.GPT2LMHeadModel):
    def __init__(self) -> None:
        super().__init__(
            transformers.GPT2Config(vocab_size=100, n_positions=64, n_embd=32, n_layer=2, n_head=2,
                                    bos_token_id=0, eos_token_id=0)
        )

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return super().forward(input_ids, attention_mask=attention_mask, use_cache=False).logits


class Llama(transformers.LlamaForCausalLM):
    def __init__(self) -> None:
        super().__init__(transformers.LlamaConfig(**SMALL, num_key_value_heads=1))

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return super().forward(input_ids, attention_mask=attention_mask, use_cache=False).logits


class DistilBert(transformers.DistilBertForSequenceClassification):
    def __init__(self) -> None:
        super().__init__(transformers.DistilBertConfig(vocab_size=100, dim=32, n_layers=2, n_heads=2, hidden_dim=64,
                                                       max_position_embeddings=64))  # fmt: skip

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return super().forward(input_ids, attention_mask=attention_mask).logits


class Qwen(transformers.Qwen3ForCausalLM):
    """With normalised queries and keys, and a head that is the embedding."""

    def __init__(self) -> None:
        super().__init__(
            transformers.Qwen3Config(**SMALL, num_key_value_heads=1, head_dim=16, tie_word_embeddings=True)
        )

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return super().forward(input_ids, attention_mask=attention_mask, use_cache=False).logits


class Mixtral(transformers.MixtralForCausalLM):
    def __init__(self) -> None:
        super().__init__(
            transformers.MixtralConfig(**SMALL, num_key_value_heads=1, num_local_experts=4, num_experts_per_tok=2,
                                       experts_implementation="batched_mm")
        )

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return super().forward(input_ids, attention_mask=attention_mask, use_cache=False).logits


class T5(transformers.T5ForConditionalGeneration):
    def __init__(self) -> None:
        super().__init__(transformers.T5Config(vocab_size=100, d_model=32, d_kv=16, d_ff=64, num_layers=2, num_heads=2,
                                               attn_implementation="eager"))

    def forward(self, input_ids: torch.Tensor, decoder_input_ids: torch.Tensor) -> torch.Tensor:
        return super().forward(input_ids, decoder_input_ids=decoder_input_ids, use_cache=False).logits
