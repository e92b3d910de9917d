"""Networks over images from timm, at small sizes. Stochastic depth is off: what is drawn has no ONNX."""

from __future__ import annotations

from ..no_torchvision import stand_in

with stand_in():
    import timm.models._efficientnet_builder as efficientnet_builder
    from timm.models import (
        convnext,
        efficientnet,
        mobilenetv3,
        resnet,
        swin_transformer,
        vision_transformer,
    )


class ResNet(resnet.ResNet):
    def __init__(self) -> None:
        super().__init__(resnet.Bottleneck, (1, 1, 1, 1), num_classes=10, base_width=16, channels=(8, 8, 16, 16))


class MobileNetV3(mobilenetv3.MobileNetV3):
    def __init__(self) -> None:
        rows = [["ds_r1_k3_s1_e1_c8"], ["ir_r1_k3_s2_e4_c16", "ir_r1_k3_s1_e3_c16"],
                ["ir_r1_k5_s2_e3_c24_se0.25_nhs"], ["cn_r1_k1_s1_c32_nhs"]]  # fmt: skip
        super().__init__(
            efficientnet_builder.decode_arch_def(rows), num_classes=10, stem_size=8, num_features=32
        )


class EfficientNet(efficientnet.EfficientNet):
    def __init__(self) -> None:
        rows = [["ds_r1_k3_s1_e1_c8_se0.25"], ["ir_r2_k3_s2_e4_c16_se0.25"], ["ir_r1_k5_s2_e4_c24_se0.25"]]
        super().__init__(
            efficientnet_builder.decode_arch_def(rows), num_classes=10, num_features=32, stem_size=8,
            act_layer=efficientnet_builder.resolve_act_layer({}, "swish"), drop_rate=0.2,
        )  # fmt: skip


class ConvNeXt(convnext.ConvNeXt):
    def __init__(self) -> None:
        super().__init__(num_classes=10, depths=(1, 1, 2, 1), dims=(8, 16, 16, 32))


class Vit(vision_transformer.VisionTransformer):
    def __init__(self) -> None:
        super().__init__(img_size=32, patch_size=8, num_classes=10, embed_dim=32, depth=2, num_heads=2)


class Swin(swin_transformer.SwinTransformer):
    def __init__(self) -> None:
        super().__init__(
            img_size=32, patch_size=2, num_classes=10, embed_dim=16, depths=(2, 2), num_heads=(2, 2), window_size=4,
            drop_path_rate=0.0,
        )  # fmt: skip
