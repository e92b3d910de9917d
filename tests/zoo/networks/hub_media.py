"""Networks over sound, and over images with text, from transformers at small sizes."""

from __future__ import annotations

import torch
import transformers

SMALL = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64)


class WhisperEncoder(transformers.models.whisper.modeling_whisper.WhisperEncoder):
    def __init__(self) -> None:
        super().__init__(
            transformers.WhisperConfig(
                d_model=32, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=64, num_mel_bins=16,
                max_source_positions=24,
            )
        )  # fmt: skip

    def forward(self, input_features: torch.Tensor) -> torch.Tensor:
        return super().forward(input_features).last_hidden_state


class Clip(transformers.CLIPModel):
    def __init__(self) -> None:
        text = transformers.CLIPTextConfig(**SMALL, vocab_size=100, max_position_embeddings=32, eos_token_id=99)
        vision = transformers.CLIPVisionConfig(**SMALL, image_size=32, patch_size=8)
        super().__init__(
            transformers.CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=16)
        )

    def forward(self, input_ids: torch.Tensor, pixel_values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y = super().forward(input_ids=input_ids, pixel_values=pixel_values)
        return y.logits_per_image, y.text_embeds, y.image_embeds


class Wav2Vec2(transformers.Wav2Vec2ForCTC):
    """Its positional convolution has weight norm. SpecAugment and layer drop are off: they draw in NumPy."""

    def __init__(self) -> None:
        super().__init__(
            transformers.Wav2Vec2Config(
                **SMALL, vocab_size=20, conv_dim=(8, 8), conv_stride=(5, 4), conv_kernel=(10, 8),
                num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=2, mask_time_prob=0.0, layerdrop=0.0,
            )
        )  # fmt: skip

    def forward(self, input_values: torch.Tensor) -> torch.Tensor:
        return super().forward(input_values).logits


class Segformer(transformers.SegformerForSemanticSegmentation):
    def __init__(self) -> None:
        super().__init__(
            transformers.SegformerConfig(
                num_encoder_blocks=2, depths=[1, 1], sr_ratios=[2, 1], hidden_sizes=[16, 32], patch_sizes=[7, 3],
                strides=[4, 2], num_attention_heads=[1, 2], mlp_ratios=[2, 2], decoder_hidden_size=16, num_labels=3,
                drop_path_rate=0.0,
            )
        )  # fmt: skip

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        return super().forward(pixel_values).logits
