"""Experiments of Frankle & Carbin (2019): LeNet on MNIST; Conv-2/4/6, Resnet-18 and VGG-19 on CIFAR-10."""
